import type { components } from '@shared/api'
import type { Page } from '@shared/api.types'
import { api, type Query } from '@shared/client'

type Shapes = components['schemas']
export type Account = Shapes['AccountView']
export type AccountFile = Shapes['AccountFile']
export type Grant = Shapes['GrantView']
export type RoleInfo = Shapes['RoleView']

const seg = encodeURIComponent
const at = (id: string, tail = '') => `/access/accounts/${seg(id)}${tail}`

export const listAccounts = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Account>>('/access/accounts', query, signal)
export const getAccount = (id: string, signal?: AbortSignal) =>
  api.get<AccountFile>(at(id), undefined, signal)
export const listRoles = async (signal?: AbortSignal) =>
  (await api.get<{ items: RoleInfo[] }>('/access/roles', undefined, signal)).items
export const openAccount = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<Account>('/access/accounts', body, { idempotencyKey })
export const reissueCode = (id: string) => api.post<Shapes['ActivationCode']>(at(id, '/activation'), {})
export const disableAccount = (id: string, version: number, reason: string) =>
  api.post<Account>(at(id, '/disable'), { version, reason })
export const enableAccount = (id: string, version: number, reason: string) =>
  api.post<Account>(at(id, '/enable'), { version, reason })
export const endSessions = (id: string, reason: string) => api.post<void>(at(id, '/sessions/end'), { reason })
export const grantRole = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<Grant>('/access/grants', body, { idempotencyKey })
export const revokeGrant = (id: string, version: number, reason: string) =>
  api.post<void>(`/access/grants/${seg(id)}/revoke`, { version, reason })
