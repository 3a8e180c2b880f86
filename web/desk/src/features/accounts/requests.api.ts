import type { components } from '@shared/api'
import { api } from '@shared/client'

type Shapes = components['schemas']
export type GrantRequest = Shapes['GrantRequestView']
export type UnlockRequest = Shapes['UnlockRequestView']
export type LockStanding = Shapes['LockView']
export type LoginFailure = Shapes['FailureView']
export type RefusalList = Shapes['RefusalList']
export type ExportRequest = Shapes['ExportRequestView']
export type AccountSight = Shapes['AccountSight']
export type RecordReaders = Shapes['RecordReaders']
export type BoundCertificate = Shapes['BoundCertificate']

const seg = encodeURIComponent

export const listGrantRequests = (signal?: AbortSignal) =>
  api.get<{ items: GrantRequest[] }>('/access/grant-requests', undefined, signal)
export const listGrantRequestsOf = (account: string, signal?: AbortSignal) =>
  api.get<{ items: GrantRequest[] }>('/access/grant-requests', { account }, signal)
export const askForGrant = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<GrantRequest>('/access/grant-requests', body, { idempotencyKey })
export const decideGrant = (one: GrantRequest, verb: 'confirm' | 'refuse', reason: string) =>
  api.post<GrantRequest>(`/access/grant-requests/${seg(one.id)}/${verb}`, { version: one.version, reason })
export const getLock = (id: string, signal?: AbortSignal) =>
  api.get<LockStanding>(`/access/accounts/${seg(id)}/lock`, undefined, signal)
export const listUnlockRequests = (account?: string, signal?: AbortSignal) =>
  api.get<{ items: UnlockRequest[] }>('/access/unlock-requests', { account }, signal)
export const askForUnlock = (
  account_id: string,
  kind: 'unlock' | 'reset',
  reason: string,
  idempotencyKey: string,
) => api.post<UnlockRequest>('/access/unlock-requests', { account_id, kind, reason }, { idempotencyKey })
export const decideUnlock = (one: UnlockRequest, verb: 'approve' | 'refuse', reason: string) =>
  api.post<UnlockRequest>(`/access/unlock-requests/${seg(one.id)}/${verb}`, { version: one.version, reason })
export const listLoginFailures = (day: string, signal?: AbortSignal) =>
  api.get<{ items: LoginFailure[] }>('/access/login-failures', { day }, signal)
export const listRefusals = (asked: { q?: string; outcome?: string; day?: string }, signal?: AbortSignal) =>
  api.get<RefusalList>('/access/refusals', asked, signal)
export const getSight = (id: string, signal?: AbortSignal) =>
  api.get<AccountSight>(`/access/accounts/${seg(id)}/sight`, undefined, signal)
export const getReaders = (kind: string, id: string, signal?: AbortSignal) =>
  api.get<RecordReaders>(`/access/records/${seg(kind)}/${seg(id)}/readers`, undefined, signal)
export const getCertificate = (id: string, signal?: AbortSignal) =>
  api.get<BoundCertificate>(`/access/accounts/${seg(id)}/certificate`, undefined, signal)
export const bindCertificate = (id: string, certificate_no: string, reason: string) =>
  api.post<void>(`/access/accounts/${seg(id)}/certificate`, { certificate_no, reason })
export const listExportRequests = (signal?: AbortSignal) =>
  api.get<{ items: ExportRequest[] }>('/exports/requests', undefined, signal)
export const decideExport = (one: ExportRequest, verb: 'approve' | 'refuse', reason: string) =>
  api.post<ExportRequest>(`/exports/requests/${seg(one.id)}/${verb}`, { version: one.version, reason })
