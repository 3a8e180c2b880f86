// A doubtful pair laid side by side: two parties that may be one. Pure.
import type { PartyDossier } from '@shared/api.types'
import { t } from '@shared/i18n'

export type Verdict = 'equal' | 'different' | 'one_side'

export interface PairRow {
  key: string
  title: string
  left: string
  right: string
  /** Personal values stay masked, each to be asked for. */
  leftMasked: boolean
  rightMasked: boolean
  /** `one_side`: nothing to compare with, which speaks neither for nor against. */
  verdict: Verdict
}

export interface PairIds {
  keepId: string
  mergeId: string
  score: number | undefined
  explain: string[]
}

/** Nothing when the work item is about something else. */
export function pairIds(payload: Record<string, unknown> | null | undefined): PairIds | undefined {
  const keepId = payload?.keep_id
  const mergeId = payload?.merge_id
  if (typeof keepId !== 'string' || typeof mergeId !== 'string') return undefined
  const score = payload?.score
  return {
    keepId,
    mergeId,
    score: typeof score === 'number' ? score : undefined,
    explain: Array.isArray(payload?.explain) ? payload.explain.map(String) : [],
  }
}

function compare(left: string, right: string): Verdict {
  if (left === '' || right === '') return 'one_side'
  return left === right ? 'equal' : 'different'
}

type Sheet = Map<string, { title: string; value: string; isMasked: boolean }>

function sheet(party: PartyDossier): Sheet {
  const rows: Sheet = new Map()
  const add = (key: string, title: string, value: string | null | undefined, isMasked = false) =>
    rows.set(key, { title, value: value?.trim() ?? '', isMasked })
  add('name', t('parties.name'), party.name, party.name_masked)
  add('uscc', t('party.uscc'), party.uscc)
  add('kind', t('parties.kind'), party.kind_title)
  add('area', t('party.area'), party.area_name ?? party.area_number)
  add('status', t('party.status'), party.status)
  const told = new Set([...rows.values()].map((one) => one.title))
  for (const field of party.fields) {
    if (!rows.has(field.name) && !told.has(field.title))
      add(field.name, field.title, field.value, field.masked)
  }
  return rows
}

/** What both carry first, in their own order; a line that is empty on both sides is left out. */
export function pairRows(left: PartyDossier, right: PartyDossier): PairRow[] {
  const one = sheet(left)
  const other = sheet(right)
  const keys = [...new Set([...one.keys(), ...other.keys()])]
  return keys
    .map((key) => {
      const a = one.get(key)
      const b = other.get(key)
      return {
        key,
        title: a?.title ?? b?.title ?? key,
        left: a?.value ?? '',
        right: b?.value ?? '',
        leftMasked: a?.isMasked ?? false,
        rightMasked: b?.isMasked ?? false,
        verdict: compare(a?.value ?? '', b?.value ?? ''),
      }
    })
    .filter((row) => row.left !== '' || row.right !== '')
}

/** A text in three parts, the middle of which differs from the other one's: 【枣庄市】薛城区佳晟货运部. */
export function differing(own: string, other: string): [string, string, string] {
  const a = [...own]
  const b = [...other]
  let from = 0
  while (from < a.length && from < b.length && a[from] === b[from]) from += 1
  let tail = 0
  while (
    tail < a.length - from &&
    tail < b.length - from &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  )
    tail += 1
  return [
    a.slice(0, from).join(''),
    a.slice(from, a.length - tail).join(''),
    a.slice(a.length - tail).join(''),
  ]
}
