// A grant as every page tells it: where, whose, which lines of items, how far into personal values, and how long. Pure.
import * as fmt from '@shared/fmt'
import { t } from '@shared/i18n'

/** A line of items (事项条线): the first two digits of their codes. */
export interface ItemLine {
  line: string
  name: string
}

export interface GrantShape {
  area_names: readonly string[]
  /** Nothing said: every agency of the areas. */
  agency_names?: readonly string[] | null
  /** Nothing said: items of every line. */
  item_lines?: readonly ItemLine[] | null
  level: string
  valid_from?: string | null
  valid_to?: string | null
}

const NO_END = '9999-12-31'

export const lineText = (one: ItemLine): string => `${one.line} ${one.name}`

export function linesText(lines: readonly ItemLine[] | null | undefined): string {
  if (!lines) return t('grant.lines_all')
  if (lines.length === 0) return t('grant.lines_none')
  return t('grant.lines_only', { list: lines.map(lineText).join('、') })
}

export function levelText(level: string): string {
  if (level === 'personal') return t('account.level_personal')
  return level === 'public' ? t('account.level_public') : t('account.level_internal')
}

export function periodText(one: Pick<GrantShape, 'valid_from' | 'valid_to'>): string {
  const isOpen = !one.valid_to || one.valid_to === NO_END
  const from = one.valid_from ? fmt.date(one.valid_from) : ''
  if (isOpen) return from ? t('account.from', { from }) : t('grant.from_now')
  const to = fmt.date(one.valid_to)
  return from ? t('account.from_to', { from, to }) : t('grant.now_to', { to })
}

/** The lines whose code begins with, or whose name holds, what was typed; those chosen are left out. */
export function linesFor(lines: readonly ItemLine[], chosen: readonly string[], typed: string): ItemLine[] {
  const q = typed.trim().toLowerCase()
  return lines.filter(
    (one) => !chosen.includes(one.line) && (q === '' || one.line.startsWith(q) || one.name.includes(q)),
  )
}
