// What may be uploaded, judged before a byte is sent. Pure; the server judges again.
import type { Source } from '@shared/api.types'

export const MAX_BYTES = 2 * 1024 ** 3
export const EXTENSIONS = ['csv', 'txt', 'xlsx', 'jsonl', 'ndjson'] as const

/** Whether a source may hand in files of this table at the workbench. */
export function mayDeliver(source: Pick<Source, 'channels' | 'tables' | 'status'>, table: string): boolean {
  if (source.status === 'stopped') return false
  if (source.channels.length > 0 && !source.channels.includes('file')) return false
  return table === '' || source.tables.length === 0 || source.tables.includes(table)
}

export type Refusal = 'format' | 'size' | 'empty'

export function refuse(file: { name: string; size: number }): Refusal | undefined {
  const ending = file.name.toLowerCase().split('.').pop() ?? ''
  if (!file.name.includes('.') || !(EXTENSIONS as readonly string[]).includes(ending)) return 'format'
  if (file.size === 0) return 'empty'
  if (file.size > MAX_BYTES) return 'size'
  return undefined
}
