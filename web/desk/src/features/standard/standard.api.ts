import type { components } from '@shared/api'
import { api, BASE } from '@shared/client'

type Shapes = components['schemas']
const seg = encodeURIComponent

export const findInStandard = (q: string, signal?: AbortSignal) =>
  api.get<Shapes['StandardHits']>('/datahub/standard/search', { q }, signal)
export const listCodeLists = async (signal?: AbortSignal) =>
  (await api.get<Shapes['CodeLists']>('/datahub/code-lists', undefined, signal)).items
export const getCodeList = (list: string, signal?: AbortSignal) =>
  api.get<Shapes['CodeListView']>(`/datahub/code-lists/${seg(list)}`, undefined, signal)

export const sampleUrl = (table: string, format: 'csv' | 'jsonl') =>
  `${BASE}/datahub/tables/${seg(table)}/sample.${format}`
