import type { components } from '@shared/api'
import type { Page } from '@shared/api.types'
import { api, type Query } from '@shared/client'

type Shapes = components['schemas']
export type Agency = Shapes['AgencyView']
export type AgencyFile = Shapes['AgencyFile']
export type Area = Shapes['UnderstoodArea']

const seg = encodeURIComponent

export const listAgencies = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Agency>>('/access/agencies', query, signal)

/** All of them: a city has dozens, a province some thousands. */
export async function allAgencies(signal?: AbortSignal): Promise<Agency[]> {
  const all: Agency[] = []
  let cursor: string | null | undefined
  do {
    const page = await listAgencies({ limit: 500, cursor }, signal)
    all.push(...page.items)
    cursor = page.next_cursor
  } while (cursor)
  return all
}

export const getAgency = (id: string, signal?: AbortSignal) =>
  api.get<AgencyFile>(`/access/agencies/${seg(id)}`, undefined, signal)

export const getArea = (code: string) => api.get<Area>(`/access/areas/${seg(code)}`)

export const createAgency = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<Agency>('/access/agencies', body, { idempotencyKey })

export const changeAgency = (id: string, body: Record<string, unknown>) =>
  api.post<Agency>(`/access/agencies/${seg(id)}`, body)
