// Small rules of how a supervised party is shown. Pure.
import type { PartyCredit, PartyField, Provenance } from '@shared/api.types'
import type { Tone } from '@shared/fmt'
import * as fmt from '@shared/fmt'
import { tCode } from '@shared/i18n'

export const KINDS = ['enterprise', 'self_employed', 'organization', 'person'] as const

export function statusTone(status: string | null | undefined): Tone {
  if (!status) return 'muted'
  if (/吊销|严重|撤销|责令关闭/.test(status)) return 'bad'
  if (/异常|停业|歇业/.test(status)) return 'warn'
  if (/在营|存续|开业|正常|在册|有效|在业/.test(status)) return 'ok'
  return 'muted'
}

/** `枣庄市市场监督管理局 · 企业基本信息`, without the row and batch, which become a link. */
export function provenanceText(
  from: Pick<Provenance, 'cd_source' | 'source_name' | 'table' | 'table_title'>,
): string {
  const parts = [from.source_name ?? from.cd_source, from.table_title || from.table]
  return parts.filter((one): one is string => typeof one === 'string' && one !== '').join(' · ')
}

export function provenanceRule(from: Pick<Provenance, 'rule' | 'at'>): string {
  const parts = [from.rule ? tCode('rule', from.rule) : '', from.at ? fmt.date(from.at) : '']
  return parts.filter((one) => one !== '').join(' · ')
}

/** The reasons of a score as short lines; linkage parts them with a semicolon. */
export function explainLines(explain: string): string[] {
  return explain.split('；').filter((one) => one !== '')
}

export function creditText(one: PartyCredit): string {
  return fmt.text(one.class ?? one.value)
}

export function resultTone(result: string | null | undefined): Tone {
  if (!result) return 'muted'
  if (/未发现|合格$|^合格|正常|通过/.test(result) && !/不合格|未通过/.test(result)) return 'ok'
  if (/不合格|罚|强制|发现问题|责令|没收|吊销|未通过/.test(result)) return 'bad'
  return 'muted'
}

export const actTitle = (table: string) => tCode('acts', table)

/** Kinds of behaviour in the order in which clerks name them. */
const ACTS = ['check_action', 'punish_action', 'force_action', 'other_action']

export function actCounts(counts: Record<string, number>): { name: string; title: string; n: number }[] {
  const names = [...new Set([...ACTS, ...Object.keys(counts)])].filter((name) => name in counts)
  return names.map((name) => ({ name, title: actTitle(name), n: counts[name] ?? 0 }))
}

const NAMED = '（中文名称）'

/** A code and its wording stand in two columns of the standard; a reader wants one line: 存续（1）. */
export function foldNamed(fields: PartyField[]): PartyField[] {
  const byTitle = new Map(fields.map((field) => [field.title, field]))
  const folded: PartyField[] = []
  for (const field of fields) {
    const wording = byTitle.get(field.title + NAMED)
    const code = field.title.endsWith(NAMED) ? byTitle.get(field.title.slice(0, -NAMED.length)) : undefined
    if (code?.value && field.value) continue
    if (wording?.value && field.value) {
      const value = wording.value === field.value ? wording.value : `${wording.value}（${field.value}）`
      folded.push({ ...wording, title: field.title, value })
    } else {
      folded.push(field)
    }
  }
  return folded
}
