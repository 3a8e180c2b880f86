import type { components } from '@shared/api'
import { api, url } from '@shared/client'

type Shapes = components['schemas']
export type AuditReport = Shapes['AuditReportView']
export type AuditMonth = Shapes['AuditMonth']
export type AuditLine = Shapes['AuditLineView']
export type AuditSection = Shapes['AuditSectionView']

export interface Remarks {
  seen: string
  findings: string
  opinion: string
}

const at = (month: string) => `/log/audit-reports/${encodeURIComponent(month)}`

export const listMonths = (signal?: AbortSignal) =>
  api.get<{ items: AuditMonth[] }>('/log/audit-reports', undefined, signal)
export const getReport = (month: string, edition: string | undefined, signal?: AbortSignal) =>
  api.get<AuditReport>(at(month), { edition }, signal)
export const signReport = (month: string, body: Remarks) => api.post<AuditReport>(`${at(month)}/sign`, body)
export const correctReport = (month: string, body: Remarks & { edition: number; why: string }) =>
  api.post<AuditReport>(`${at(month)}/correct`, body)
export const reportTextUrl = (month: string, edition: number) => url(`${at(month)}/editions/${edition}/text`)
