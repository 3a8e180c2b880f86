// What a column of a list is, and which are shown: the reader's choice over the list's default. Pure.
import type { TablePreference } from './preferences'

export interface Column<T> {
  /** Its name on the wire, which the export knows, too. */
  key: string
  title: string
  /** Pixels until the reader drags it. */
  width: number
  /** The cell that names the row: first, a header of its row, never hidden. */
  isName?: boolean
  isNum?: boolean
  /** Takes a whole line of the card on a phone. */
  isWide?: boolean
  isSortable?: boolean
  /** Not shown until asked for. */
  isExtra?: boolean
  /** Buttons and the like: nothing to export. */
  isScreenOnly?: boolean
  /** What the export calls the parts of a cell that stand together on the screen; without it, its own key. */
  exportKeys?: readonly string[]
  text?: (row: T) => string
  /** A class for the cell, e.g. `zero` or `bad`. */
  tone?: (row: T) => string
}

export function isShown<T>(column: Column<T>, preference: TablePreference): boolean {
  return column.isName || (preference.shown[column.key] ?? !column.isExtra)
}

export function shownColumns<T>(columns: readonly Column<T>[], preference: TablePreference): Column<T>[] {
  return columns
    .filter((column) => isShown(column, preference))
    .map((column) => ({ ...column, width: preference.widths[column.key] ?? column.width }))
}
