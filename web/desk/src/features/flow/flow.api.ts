import type { Page, WorkItem } from '@shared/api.types'
import { api } from '@shared/client'

export interface WorkItemQuery {
  state?: string
  kind?: string
  limit?: number
  cursor?: string
}

export function listWorkItems(query: WorkItemQuery, signal?: AbortSignal): Promise<Page<WorkItem>> {
  return api.get<Page<WorkItem>>('/flow/work-items', { ...query }, signal)
}

export function getWorkItem(id: string, signal?: AbortSignal): Promise<WorkItem> {
  return api.get<WorkItem>(`/flow/work-items/${encodeURIComponent(id)}`, undefined, signal)
}

export type Verb = 'claim' | 'return' | 'decide' | 'urge'

export function actOnWorkItem(
  id: string,
  verb: Verb,
  body: { version: number; reason?: string; decision?: string },
  idempotencyKey: string,
): Promise<WorkItem> {
  return api.post<WorkItem>(`/flow/work-items/${encodeURIComponent(id)}/${verb}`, body, { idempotencyKey })
}
