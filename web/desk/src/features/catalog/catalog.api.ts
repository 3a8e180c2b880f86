import type { components } from '@shared/api'
import type { Page } from '@shared/api.types'
import { api, type Query } from '@shared/client'

type Shapes = components['schemas']
export type Item = Shapes['ItemView']
export type ItemFile = Shapes['ItemFile']
export type Implementation = Shapes['ImplementationView']
export type Mapping = Shapes['MappingView']

const seg = encodeURIComponent

export const listItems = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Item>>('/catalog/items', query, signal)
export const getItem = (code: string, asOf: string, signal?: AbortSignal) =>
  api.get<ItemFile>(`/catalog/items/${seg(code)}`, { as_of: asOf }, signal)
export const listImplementations = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Implementation>>('/catalog/implementations', query, signal)
export const listLines = async (signal?: AbortSignal) =>
  (await api.get<Shapes['LineList']>('/catalog/lines', undefined, signal)).items
export const listMappings = (query: Query, signal?: AbortSignal) =>
  api.get<Page<Mapping>>('/catalog/mappings', query, signal)
export const addMapping = (body: Record<string, unknown>, idempotencyKey: string) =>
  api.post<Mapping>('/catalog/mappings', body, { idempotencyKey })
export const endMapping = (id: string, version: number, validTo: string | null) =>
  api.patch<Mapping>(`/catalog/mappings/${seg(id)}`, { version, valid_to: validTo })
