import type { Area, Merge, Page, PartyDossier, PartyHit, TimelineEntry } from '@shared/api.types'
import { api, type Query } from '@shared/client'

const seg = encodeURIComponent

export const searchParties = (query: Query, signal?: AbortSignal) =>
  api.get<Page<PartyHit>>('/registry/parties', query, signal)

export const getParty = (id: string, signal?: AbortSignal) =>
  api.get<PartyDossier>(`/registry/parties/${seg(id)}`, undefined, signal)

export const getTimeline = (id: string, query: Query, signal?: AbortSignal) =>
  api.get<Page<TimelineEntry>>(`/registry/parties/${seg(id)}/timeline`, query, signal)

export const listAreas = (signal?: AbortSignal) =>
  api.get<{ items: Area[] }>('/registry/areas', undefined, signal)

export const listMerges = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Merge>>('/registry/merges', query, signal)

export const undoMerge = (id: string, reason: string) =>
  api.post<Merge>(`/registry/merges/${seg(id)}/undo`, { reason })
