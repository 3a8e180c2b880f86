// Masked values that were asked for: which one is being asked for now, and what may be seen in clear at this moment.
// Kept in memory alone, for as long as the rule says, and forgotten when the page is left.
import type { components } from '@shared/api'
import { api } from '@shared/client'
import { reactive, shallowRef } from 'vue'

/** Where a masked value stands: a record that all agencies of an area share, or one of an agency. */
export type MaskedPlace =
  | { kind: 'party' | 'record'; id: string; isAgencys?: false }
  | { kind: 'officer' | 'refused_row' | 'record'; id: string; isAgencys: true }

export interface MaskedField {
  place: MaskedPlace
  field: string
  title: string
}

export const asked = shallowRef<MaskedField>()
const clear = reactive(new Map<string, string>())
const timers = new Map<string, number>()

const keyOf = ({ place, field }: Omit<MaskedField, 'title'>) =>
  `${place.isAgencys ? 'agency-reveals' : 'reveals'}/${place.kind}/${place.id}/${field}`

export const inClear = (one: Omit<MaskedField, 'title'>): string | undefined => clear.get(keyOf(one))

export const rightFor = (place: MaskedPlace): string =>
  place.isAgencys ? 'personal.agency_value.reveal' : 'personal.shared_value.reveal'

function hide(key: string): void {
  window.clearTimeout(timers.get(key))
  timers.delete(key)
  clear.delete(key)
}

/** Leaving a page masks everything again. */
export function hideAll(): void {
  asked.value = undefined
  for (const key of [...timers.keys()]) hide(key)
}

/** How often more today. */
export async function reveal(one: MaskedField, reason: string): Promise<number> {
  const { kind, id, isAgencys } = one.place
  const path = `/${isAgencys ? 'agency-reveals' : 'reveals'}/${kind}/${encodeURIComponent(id)}`
  const seen = await api.post<components['schemas']['Revealed']>(path, { field: one.field, reason })
  const key = keyOf(one)
  hide(key)
  clear.set(key, seen.value)
  timers.set(
    key,
    window.setTimeout(() => hide(key), seen.seconds * 1000),
  )
  return seen.left_today
}
