import type {
  LogEntry,
  LogEntryRow,
  LogProof,
  LogStanding,
  LogStatus,
  LogWitnesses,
  Page,
  RecordActs,
} from '@shared/api.types'
import { api, type Query, url } from '@shared/client'

export const getStatus = (signal?: AbortSignal) => api.get<LogStatus>('/log/status', undefined, signal)

export const getStanding = (signal?: AbortSignal) => api.get<LogStanding>('/log/standing', undefined, signal)

export const getWitnesses = (signal?: AbortSignal) =>
  api.get<LogWitnesses>('/log/witnesses', undefined, signal)

/** Who did what to one record. */
export const listActs = (query: Query, signal?: AbortSignal) =>
  api.get<RecordActs>('/log/acts', query, signal)

export const listEntries = (query: Query, signal?: AbortSignal) =>
  api.get<Page<LogEntryRow>>('/log/entries', query, signal)

export const getEntry = (seq: string, signal?: AbortSignal) =>
  api.get<LogEntry>(`/log/entries/${encodeURIComponent(seq)}`, undefined, signal)

export const getProof = (seq: string, signal?: AbortSignal) =>
  api.get<LogProof>(`/log/entries/${encodeURIComponent(seq)}/proof`, undefined, signal)

export const receiptUrl = (seq: string) => url(`/log/entries/${encodeURIComponent(seq)}/receipt`)
export const checkpointUrl = () => url('/log/checkpoint')
