import type { components } from '@shared/api'
import type { Page } from '@shared/api.types'
import { api, type Query } from '@shared/client'

type Shapes = components['schemas']
export type Officer = Shapes['OfficerView']
export type OfficerFile = Shapes['OfficerFile']
export type Certificate = Shapes['CertificateView']
export type Coverage = Shapes['AgencyCoverage']

const seg = encodeURIComponent

export const listOfficers = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Officer>>('/registry/officers', query, signal)

export const getSummary = (query: Query, signal?: AbortSignal) =>
  api.get<Shapes['OfficerSummary']>('/registry/officers/summary', query, signal)

export const getCoverage = (signal?: AbortSignal) =>
  api.get<Shapes['CoverageList']>('/registry/officers/coverage', undefined, signal)

export type Wording = Shapes['WordingView']
export type WordingLine = Shapes['WordingLine']

export const listWordings = (signal?: AbortSignal) =>
  api.get<Shapes['WordingList']>('/registry/certificate-wordings', undefined, signal)

export const addWording = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<Wording>('/registry/certificate-wordings', body, { idempotencyKey })

export const endWording = (id: string, version: number, valid_to: string, reason: string) =>
  api.patch<Wording>(`/registry/certificate-wordings/${seg(id)}`, { version, valid_to, reason })

export const getOfficer = (id: string, signal?: AbortSignal) =>
  api.get<OfficerFile>(`/registry/officers/${seg(id)}`, undefined, signal)

export const getActs = (id: string, signal?: AbortSignal) =>
  api.get<Shapes['OfficerActs']>(`/registry/officers/${seg(id)}/acts`, undefined, signal)

export const suspend = (certificate: string, reason: string, until: string) =>
  api.post<OfficerFile>(`/registry/certificates/${seg(certificate)}/suspend`, {
    reason,
    ...(until ? { until } : {}),
  })

export const restore = (certificate: string, reason: string) =>
  api.post<OfficerFile>(`/registry/certificates/${seg(certificate)}/restore`, { reason })
