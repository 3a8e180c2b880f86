import { api, type Query } from '@shared/api'
import type { Page, PartyDossier, PartyHit, TimelineEntry } from '@shared/api.types'

const seg = encodeURIComponent

export const searchParties = (query: Query, signal?: AbortSignal) =>
  api.get<Page<PartyHit>>('/registry/parties', query, signal)

export const getParty = (id: string, signal?: AbortSignal) =>
  api.get<PartyDossier>(`/registry/parties/${seg(id)}`, undefined, signal)

export const getTimeline = (id: string, query: Query, signal?: AbortSignal) =>
  api.get<Page<TimelineEntry>>(`/registry/parties/${seg(id)}/timeline`, query, signal)
