// The rules of the typed grid, pure: what a paste from Excel means, where it lands, and what is too much.
import type { StandardColumn } from '@shared/api.types'

export type Cells = string[][]

/** Tabs part cells, line ends part rows; a quoted cell may hold both (as Excel copies them). */
export function parsePaste(text: string): Cells {
  const rows: Cells = []
  let row: string[] = []
  let cell = ''
  let isQuoted = false
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at] as string
    if (isQuoted) {
      if (c === '"' && text[at + 1] === '"') {
        cell += '"'
        at += 1
      } else if (c === '"') isQuoted = false
      else cell += c
    } else if (c === '"' && cell === '') isQuoted = true
    else if (c === '\t') {
      row.push(cell)
      cell = ''
    } else if (c === '\n' || c === '\r') {
      if (c === '\r' && text[at + 1] === '\n') at += 1
      row.push(cell)
      rows.push(row)
      row = []
      cell = ''
    } else cell += c
  }
  if (cell !== '' || row.length > 0) {
    row.push(cell)
    rows.push(row)
  }
  // Excel ends every copy with an empty line
  while (rows.length > 0 && (rows.at(-1) as string[]).every((one) => one === '')) rows.pop()
  return rows
}

export function countCells(cells: Cells): number {
  return cells.reduce((sum, row) => sum + row.length, 0)
}

const fold = (text: string) =>
  text
    .replace(/[\s*＊]/g, '')
    .replaceAll('（', '(')
    .replaceAll('）', ')')
    .toLowerCase()

/** Which column each pasted one stands for, when the first line is a header; nothing when it is not. */
export function headerOf(
  first: string[],
  columns: readonly Pick<StandardColumn, 'name' | 'title'>[],
): (number | undefined)[] | undefined {
  const names = new Map<string, number>()
  columns.forEach((column, at) => {
    names.set(fold(column.name), at)
    // 法定代表人/负责人/投资人：departments write one of them; 罚款金额（元）: without the unit
    for (const title of [column.title, ...column.title.split('/'), column.title.replace(/（[^）]*）$/, '')]) {
      if (!names.has(fold(title))) names.set(fold(title), at)
    }
  })
  const places = first.map((text) => (text.trim() === '' ? undefined : names.get(fold(text))))
  const known = places.filter((place) => place !== undefined).length
  return known >= 2 && known * 2 >= first.filter((text) => text.trim() !== '').length ? places : undefined
}

export interface Landed {
  rows: Cells
  /** First and last row that changed. */
  from: number
  to: number
  usedHeader: boolean
  /** Pasted columns that found no place. */
  lost: number
}

/** Lays pasted cells over the grid at a place; the grid grows downward, never sideways. */
export function land(
  grid: Cells,
  pasted: Cells,
  at: { row: number; column: number },
  columns: readonly Pick<StandardColumn, 'name' | 'title'>[],
): Landed {
  const places = pasted.length > 1 || at.row === 0 ? headerOf(pasted[0] ?? [], columns) : undefined
  const body = places ? pasted.slice(1) : pasted
  const width = columns.length
  const rows = grid.slice()
  const widest = body.reduce((most, row) => Math.max(most, row.length), 0)
  const lost = places
    ? places.filter((place, index) => place === undefined && (pasted[0]?.[index] ?? '').trim() !== '').length
    : Math.max(0, at.column + widest - width)
  body.forEach((cells, index) => {
    const target = at.row + index
    while (rows.length <= target) rows.push(Array<string>(width).fill(''))
    const row = (rows[target] as string[]).slice()
    cells.forEach((text, position) => {
      const place = places ? places[position] : at.column + position
      if (place !== undefined && place < width) row[place] = text.trim()
    })
    rows[target] = row
  })
  return { rows, from: at.row, to: at.row + body.length - 1, usedHeader: places !== undefined, lost }
}

export const isBlank = (row: readonly string[]) => row.every((cell) => cell.trim() === '')

/** The rows as one JSON line each, empty cells left out: what the ordinary door takes. */
export function toJsonLines(rows: Cells, columns: readonly Pick<StandardColumn, 'name'>[]): string {
  return rows
    .filter((row) => !isBlank(row))
    .map((row) =>
      JSON.stringify(
        Object.fromEntries(
          columns.flatMap((column, at) => {
            const text = (row[at] ?? '').trim()
            return text === '' ? [] : [[column.name, text]]
          }),
        ),
      ),
    )
    .join('\n')
}
