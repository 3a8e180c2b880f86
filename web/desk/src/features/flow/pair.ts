// A doubtful pair laid side by side: the record as a source wrote it, and the party it may be. Pure.

import type { Explain } from '@shared/api.types'
import { tCode } from '@shared/i18n'

export interface PairRow {
  key: string
  title: string
  left: string
  right: string
  isEqual: boolean
}

export interface Pair {
  rows: PairRow[]
  partyId: string | undefined
  score: number | undefined
  explain: Explain
}

type Json = Record<string, unknown>

const LEFT = ['mention', 'left', 'record', 'incoming'] as const
const RIGHT = ['party', 'candidate', 'right', 'existing'] as const
/** Shown first, in this order; what else both sides carry follows. */
const ORDER = [
  'name',
  'uscc',
  'code',
  'regist_no',
  'address',
  'legal_repr',
  'area_name',
  'kind_title',
  'status',
  'source_name',
]
const HIDDEN = new Set([
  'id',
  'party_id',
  'mention_id',
  'score',
  'explain',
  'area_number',
  'kind',
  'cd_source',
])

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function firstObject(payload: Json, names: readonly string[]): Json | undefined {
  for (const name of names) {
    const value = payload[name]
    if (isObject(value)) return value
    if (Array.isArray(value) && isObject(value[0])) return value[0]
  }
  return undefined
}

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
}

/** Nothing when the payload holds no pair: then the page shows its parts as they are. */
export function pairOf(payload: Json | null | undefined): Pair | undefined {
  if (!payload) return undefined
  const left = firstObject(payload, LEFT)
  const candidates = payload.candidates
  const right =
    firstObject(payload, RIGHT) ??
    (Array.isArray(candidates) && isObject(candidates[0]) ? candidates[0] : undefined)
  if (!left || !right) return undefined
  const keys = [...new Set([...ORDER, ...Object.keys(left), ...Object.keys(right)])].filter(
    (key) => !HIDDEN.has(key) && (plain(left[key]) !== '' || plain(right[key]) !== ''),
  )
  const score = [payload.score, right.score].find((one): one is number => typeof one === 'number')
  const id = right.party_id ?? right.id
  return {
    rows: keys.map((key) => ({
      key,
      title: tCode('work', key),
      left: plain(left[key]),
      right: plain(right[key]),
      isEqual: plain(left[key]) !== '' && plain(left[key]) === plain(right[key]),
    })),
    partyId: typeof id === 'string' ? id : undefined,
    score,
    explain: (payload.explain ?? right.explain) as Explain,
  }
}

/** The plain parts of any other payload, for reading. */
export function plainParts(payload: Json | null | undefined): { title: string; value: string }[] {
  return Object.entries(payload ?? {})
    .map(([key, value]) => ({ title: tCode('work', key), value: plain(value) }))
    .filter((one) => one.value !== '')
}
