import type { components } from '@shared/api'
import type { Source } from '@shared/api.types'
import { api } from '@shared/client'

type Shapes = components['schemas']
export type SourceFile = Shapes['SourceFile']

const seg = encodeURIComponent
const at = (id: string, tail = '') => `/datahub/sources/${seg(id)}${tail}`

export const getSource = (id: string, signal?: AbortSignal) => api.get<SourceFile>(at(id), undefined, signal)
export const registerSource = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<Source>('/datahub/sources', body, { idempotencyKey })
export const changeSource = (id: string, body: Record<string, unknown>) => api.post<Source>(at(id), body)
export const issueToken = (id: string) => api.post<Shapes['TokenIssued']>(at(id, '/token'), {})
export const revokeToken = (id: string, reason: string) => api.post<void>(at(id, '/token/revoke'), { reason })
