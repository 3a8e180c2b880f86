import type {
  BatchAccepted,
  CheckOutcome,
  ErrorCells,
  OpenErrors,
  Repair,
  RepairFix,
  RepairGroups,
  RepairPreview,
  RowCheck,
} from '@shared/api.types'
import { api } from '@shared/client'

const seg = encodeURIComponent
const of = (batch: string) => `/datahub/batches/${seg(batch)}`

export interface Plan {
  rule: string
  column: string
  fix: RepairFix
}

export type Values = Record<string, string | null>

export const listOpenErrors = (signal?: AbortSignal) =>
  api.get<{ items: OpenErrors[]; open: number }>('/datahub/open-errors', undefined, signal)

export const getGroups = (batch: string, signal?: AbortSignal) =>
  api.get<RepairGroups>(`${of(batch)}/error-groups`, undefined, signal)

export const previewRepair = (batch: string, plan: Plan) =>
  api.post<RepairPreview>(`${of(batch)}/repairs/preview`, plan)

export const applyRepair = (batch: string, plan: Plan & { reason: string }, idempotencyKey: string) =>
  api.post<Repair>(`${of(batch)}/repairs`, plan, { idempotencyKey })

export const cancelRepair = (id: string) => api.post<Repair>(`/datahub/repairs/${seg(id)}/cancel`, {})

export const listRepairs = (batch: string, signal?: AbortSignal) =>
  api.get<{ items: Repair[] }>(`${of(batch)}/repairs`, undefined, signal)

export const getCells = (batch: string, row: number, signal?: AbortSignal) =>
  api.get<ErrorCells>(`${of(batch)}/errors/${row}`, undefined, signal)

export const checkCells = (batch: string, row: number, values: Values) =>
  api.post<RowCheck>(`${of(batch)}/errors/${row}/check`, { values })

export const mendRow = (batch: string, row: number, values: Values, idempotencyKey: string) =>
  api.post<BatchAccepted>(`${of(batch)}/errors/${row}`, { values }, { idempotencyKey })

export const checkTyped = (
  table: string,
  body: { cd_source: string; columns: string[]; rows: (string | null)[][] },
  signal?: AbortSignal,
) => api.post<CheckOutcome>(`/datahub/tables/${seg(table)}/check`, body, signal ? { signal } : {})
