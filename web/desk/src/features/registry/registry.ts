// Small rules of how a supervised party is shown. Pure.
import type { Explain, PartyCredit, Provenance } from '@shared/api.types'
import type { Tone } from '@shared/fmt'
import * as fmt from '@shared/fmt'
import { t, tCode } from '@shared/i18n'

export const KINDS = ['enterprise', 'self_employed', 'organization', 'person'] as const

/** The areas of the city in which the workbench runs, for the filter. A scope may see fewer. */
export const AREAS: readonly { code: string; name: string }[] = [
  { code: '370402', name: '市中区' },
  { code: '370403', name: '薛城区' },
  { code: '370404', name: '峄城区' },
  { code: '370405', name: '台儿庄区' },
  { code: '370406', name: '山亭区' },
  { code: '370481', name: '滕州市' },
]

export function statusTone(status: string | null | undefined): Tone {
  if (!status) return 'muted'
  if (/吊销|严重|撤销|责令关闭/.test(status)) return 'bad'
  if (/异常|停业|歇业/.test(status)) return 'warn'
  if (/在营|存续|开业|正常|在册|有效|在业/.test(status)) return 'ok'
  return 'muted'
}

/** `枣庄市市场监督管理局 · 企业基本信息`, without the row and batch, which become a link. */
export function provenanceText(from: Provenance): string {
  const parts = [from.source_name ?? from.cd_source, from.table_title ?? from.table]
  return parts.filter((one): one is string => typeof one === 'string' && one !== '').join(' · ')
}

export function provenanceRule(from: Provenance): string {
  const parts = [from.rule ? tCode('rule', from.rule) : '', from.at ? fmt.date(from.at) : '']
  return parts.filter((one) => one !== '').join(' · ')
}

/** A score explained, whatever shape the reasons come in, as short lines. */
export function explainLines(explain: Explain): string[] {
  if (explain === null || explain === undefined || explain === '') return []
  if (typeof explain === 'string') return [explain]
  if (Array.isArray(explain)) {
    return explain.map((one) => {
      if (typeof one === 'string') return one
      const head = one.title ?? one.part ?? ''
      const figure = one.score === undefined ? '' : scoreText(one.score)
      return [head, figure, one.detail ?? ''].filter((part) => part !== '').join('　')
    })
  }
  return Object.entries(explain).map(([key, value]) => {
    const shown =
      typeof value === 'number' ? scoreText(value) : typeof value === 'string' ? value : JSON.stringify(value)
    return `${tCode('explain', key)}　${shown}`
  })
}

/** 0.92 or 92 → `92`; a score is no share and carries no sign. */
export function scoreText(score: number | null | undefined): string {
  if (typeof score !== 'number' || !Number.isFinite(score)) return fmt.MISSING
  return fmt.count(score <= 1 ? Math.round(score * 100) : Math.round(score))
}

export function creditText(one: PartyCredit): string {
  return fmt.text(one.class ?? one.value)
}

export function resultTone(result: string | null | undefined): Tone {
  if (!result) return 'muted'
  if (/未发现|合格$|^合格|正常|通过/.test(result) && !/不合格|未通过/.test(result)) return 'ok'
  if (/不合格|罚|发现问题|责令|没收|吊销|未通过/.test(result)) return 'bad'
  return 'muted'
}

export const actTitle = (table: string) => tCode('acts', table)

export function masked(value: string | null | undefined, isMasked: boolean | undefined): string {
  const shown = fmt.text(value)
  return isMasked && shown === fmt.MISSING ? t('party.masked') : shown
}
