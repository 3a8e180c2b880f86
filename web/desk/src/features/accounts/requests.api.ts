import type { components } from '@shared/api'
import { api } from '@shared/client'

type Shapes = components['schemas']
export type GrantRequest = Shapes['GrantRequestView']
export type ExportRequest = Shapes['ExportRequestView']
export type AccountSight = Shapes['AccountSight']
export type RecordReaders = Shapes['RecordReaders']
export type BoundCertificate = Shapes['BoundCertificate']

const seg = encodeURIComponent

export const listGrantRequests = (signal?: AbortSignal) =>
  api.get<{ items: GrantRequest[] }>('/access/grant-requests', undefined, signal)
export const askForGrant = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<GrantRequest>('/access/grant-requests', body, { idempotencyKey })
export const decideGrant = (one: GrantRequest, verb: 'confirm' | 'refuse', reason: string) =>
  api.post<GrantRequest>(`/access/grant-requests/${seg(one.id)}/${verb}`, { version: one.version, reason })
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
