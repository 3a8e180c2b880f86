// The days a version holds, in words: from its first day up to, and without, the day it ends.
import { t } from '@shared/i18n'

export function validity(from: string, to: string): string {
  const isAlways = from <= '0001-01-01'
  const isForever = to >= '9999-12-31'
  if (isAlways && isForever) return t('items.forever')
  if (isForever) return t('items.from', { from })
  if (isAlways) return t('items.to', { to })
  return t('items.from_to', { from, to })
}

export const stateTone = (state: string): 'ok' | 'warn' | 'muted' =>
  state === 'in_use' ? 'ok' : state === 'suspended' ? 'warn' : 'muted'

/** Whether a text of the address is a day. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text))

/** A day of the address, or nothing when it is none. */
export const dayOf = (text: string): string => (isDay(text) ? text : '')

export const isRandom = (one: { is_random?: string | null }): string =>
  one.is_random === '1' || one.is_random === '是' ? t('standard.yes') : t('standard.no')
