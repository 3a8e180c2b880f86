import type { BulkOutcome, Colleague, Page, WorkItem } from '@shared/api.types'
import { api, type Query } from '@shared/client'

const seg = encodeURIComponent

export interface WorkItemQuery extends Query {
  state?: string
  kind?: string
  limit?: number
  cursor?: string
}

export function listWorkItems(query: WorkItemQuery, signal?: AbortSignal): Promise<Page<WorkItem>> {
  return api.get<Page<WorkItem>>('/flow/work-items', { ...query }, signal)
}

export function getWorkItem(id: string, signal?: AbortSignal): Promise<WorkItem> {
  return api.get<WorkItem>(`/flow/work-items/${seg(id)}`, undefined, signal)
}

export const listKinds = (signal?: AbortSignal) =>
  api.get<{ items: { name: string; title: string }[] }>('/flow/kinds', undefined, signal)

export type Verb = 'claim' | 'return' | 'decide' | 'urge' | 'reopen' | 'transfer'

export interface Doing {
  version: number
  reason?: string
  decision?: string
  agency?: string
  agency_name?: string
  account?: string
}

export function actOnWorkItem(
  id: string,
  verb: Verb,
  body: Doing,
  idempotencyKey: string,
): Promise<WorkItem> {
  return api.post<WorkItem>(`/flow/work-items/${seg(id)}/${verb}`, body, { idempotencyKey })
}

export const BULK_VERBS = ['claim', 'transfer', 'return', 'urge'] as const
export type BulkVerb = (typeof BULK_VERBS)[number]

export interface BulkBody {
  items: { id: string; version: number }[]
  reason?: string
  agency?: string
  agency_name?: string
  account?: string
  preview: boolean
}

export const bulk = (verb: BulkVerb, body: BulkBody) => api.post<BulkOutcome>(`/flow/bulk/${verb}`, body)

export interface AgencyChoice {
  uscc: string
  name: string
}

export const listAgencies = (signal?: AbortSignal) =>
  api.get<Page<AgencyChoice>>('/access/agencies', { limit: 500 }, signal)

export const listColleagues = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Colleague>>('/access/colleagues', query, signal)
