import type { EvaluationOverview, EvaluationRecord, EvaluationRows } from '@shared/api.types'
import { api } from '@shared/client'

/** What a figure is narrowed to; the same words in the page's URL and in the request. */
export interface FigureQuery {
  period?: string
  from?: string
  to?: string
  area?: string
  /** `true`: the area itself, without what lies below it. */
  own?: string
  agency?: string
  table?: string
  source?: string
  main?: string
}

export interface RowQuery extends FigureQuery {
  part?: string
  limit?: number
  cursor?: string
}

export function getOverview(query: FigureQuery, signal?: AbortSignal): Promise<EvaluationOverview> {
  return api.get<EvaluationOverview>('/evaluation/overview', { ...query }, signal)
}

export function getRows(id: string, query: RowQuery, signal?: AbortSignal): Promise<EvaluationRows> {
  return api.get<EvaluationRows>(
    `/evaluation/indicators/${encodeURIComponent(id)}/rows`,
    { ...query },
    signal,
  )
}

export function getRecord(table: string, row: string, signal?: AbortSignal): Promise<EvaluationRecord> {
  const place = `${encodeURIComponent(table)}/${encodeURIComponent(row)}`
  return api.get<EvaluationRecord>(`/evaluation/records/${place}`, undefined, signal)
}

export function readDigest(id: string, version: number): Promise<void> {
  return api.post<void>(`/evaluation/digests/${encodeURIComponent(id)}/read`, { version })
}
