// What may be uploaded, judged before a byte is sent. Pure; the server judges again.
export const MAX_BYTES = 2 * 1024 ** 3
export const EXTENSIONS = ['csv', 'txt', 'xlsx', 'jsonl', 'ndjson'] as const

export type Refusal = 'format' | 'size' | 'empty'

export function refuse(file: { name: string; size: number }): Refusal | undefined {
  const ending = file.name.toLowerCase().split('.').pop() ?? ''
  if (!file.name.includes('.') || !(EXTENSIONS as readonly string[]).includes(ending)) return 'format'
  if (file.size === 0) return 'empty'
  if (file.size > MAX_BYTES) return 'size'
  return undefined
}
