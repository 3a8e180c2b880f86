// Where a figure, a notice and a row lead: always to exactly what the number counted.
import type { EvaluationNotice, EvaluationRow } from '@shared/api.types'
import type { LocationQueryRaw, RouteLocationRaw, Router } from 'vue-router'
import type { FigureQuery } from './leader.api'

export type Part = 'numerator' | 'denominator' | 'gap'

export function rowsLink(id: string, part: Part, query: FigureQuery): RouteLocationRaw {
  const kept: LocationQueryRaw = { part }
  for (const [name, value] of Object.entries(query)) if (value) kept[name] = value
  return { name: 'leader-rows', params: { id }, query: kept }
}

export function noticeLink(notice: EvaluationNotice, query: FigureQuery): RouteLocationRaw {
  const narrowed: FigureQuery = { ...query }
  if (notice.agency) narrowed.agency = notice.agency
  if (notice.table) narrowed.table = notice.table
  if (notice.source) narrowed.source = notice.source
  return rowsLink(notice.indicator, notice.part as Part, narrowed)
}

/** The page of what a row is about; some have none of their own. */
export function rowLink(
  row: EvaluationRow,
  router: Router,
  query: FigureQuery,
): RouteLocationRaw | undefined {
  // an item opens the acts of its body that refer to it
  if (row.kind === 'item' && row.code && row.counted) {
    return rowsLink('B01', 'numerator', {
      ...query,
      main: row.code,
      ...(row.agency ? { agency: row.agency } : {}),
    })
  }
  if (row.kind === 'item' && row.code && router.hasRoute('item')) {
    return { name: 'item', params: { code: row.code } }
  }
  if (row.kind === 'agency' && row.id && router.hasRoute('agency')) {
    return { name: 'agency', params: { id: row.id } }
  }
  if (row.kind === 'record' && row.table && row.id) {
    return { name: 'leader-record', params: { table: row.table, row: row.id } }
  }
  if (row.kind === 'refused' && row.id) return { name: 'batch', params: { id: row.id } }
  if (row.kind === 'work_item' && row.id) return { name: 'work-items', params: { id: row.id } }
  if (row.kind === 'owed' && row.table) {
    return { name: 'batches', query: { table: row.table, ...(row.code ? { cd_source: row.code } : {}) } }
  }
  if (row.kind === 'officer' && row.id && router.hasRoute('officer')) {
    return { name: 'officer', params: { id: row.id } }
  }
  if (row.kind === 'table' && row.table) return { name: 'standard-table', params: { table: row.table } }
  return undefined
}
