import type {
  Batch,
  BatchAccepted,
  DatahubSummary,
  ErrorRow,
  Page,
  Source,
  StandardTable,
  StandardTableSpec,
} from '@shared/api.types'
import { api, BASE, type Query, type UploadOptions, upload } from '@shared/client'

const seg = encodeURIComponent

export const getSummary = (signal?: AbortSignal) =>
  api.get<DatahubSummary>('/datahub/summary', undefined, signal)

export const listTables = (signal?: AbortSignal) =>
  api.get<{ items: StandardTable[] }>('/datahub/tables', undefined, signal)

export const getTable = (table: string, signal?: AbortSignal) =>
  api.get<StandardTableSpec>(`/datahub/tables/${seg(table)}`, undefined, signal)

export const listSources = (signal?: AbortSignal) =>
  api.get<{ items: Source[] }>('/datahub/sources', undefined, signal)

export const listBatches = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Batch>>('/datahub/batches', query, signal)

export const getBatch = (id: string, signal?: AbortSignal) =>
  api.get<Batch>(`/datahub/batches/${seg(id)}`, undefined, signal)

export const stopBatch = (id: string, reason: string) =>
  api.post<Batch>(`/datahub/batches/${seg(id)}/cancel`, { reason })

export const listErrors = (id: string, query: Query, signal?: AbortSignal) =>
  api.get<Page<ErrorRow>>(`/datahub/batches/${seg(id)}/errors`, query, signal)

export const sendFile = (file: Blob, options: UploadOptions) =>
  upload<BatchAccepted>('/datahub/batches/file', file, options)

export const markedSheetUrl = (id: string) => `${BASE}/datahub/batches/${seg(id)}/errors.xlsx`
export const templateUrl = (table: string) => `${BASE}/datahub/tables/${seg(table)}/template.xlsx`
export const schemaUrl = (table: string) => `${BASE}/datahub/tables/${seg(table)}/schema.json`
