// The layers of the data hub and the one law between them: front = the sum of the rest. Pure.
import type { Batch, BatchState, ClassCount, LayerCounts } from '@shared/api.types'
import type { Tone } from '@shared/fmt'
import { tCode } from '@shared/i18n'

export const PARTS = ['correct', 'error', 'duplicate', 'superseded', 'pending'] as const
export type Part = (typeof PARTS)[number]

export const PART_TONES: Record<Part, Tone> = {
  correct: 'ok',
  error: 'bad',
  duplicate: 'warn',
  superseded: 'muted',
  pending: 'brand',
}

export function sumOfParts(counts: LayerCounts): number {
  return PARTS.reduce((sum, part) => sum + (counts[part] ?? 0), 0)
}

/** 0 when the counts reconcile; otherwise how many rows are unaccounted for. */
export function unaccounted(counts: LayerCounts): number {
  return counts.front - sumOfParts(counts)
}

export interface Segment {
  part: Part
  x: number
  width: number
}

/** Where each part lies on a bar of `length`; a part with rows is never thinner than `least`. */
export function segments(counts: LayerCounts, length = 1000, least = 4): Segment[] {
  const total = Math.max(counts.front, sumOfParts(counts))
  if (total <= 0) return []
  const shown = PARTS.filter((part) => counts[part] > 0)
  const raw = shown.map((part) => Math.max(least, (counts[part] / total) * length))
  const scale =
    length /
    Math.max(
      length,
      raw.reduce((a, b) => a + b, 0),
    )
  let x = 0
  return shown.map((part, index) => {
    const width = (raw[index] ?? 0) * scale
    const segment = { part, x, width }
    x += width
    return segment
  })
}

export const CLASSES = ['00', '01', '02', '03', '04', '05', '06', '07', '08', '09', '10'] as const

/** All classes in official order, with zeros: a class that never fires is a finding too. */
export function allClasses(counts: ClassCount[] | Record<string, number> | null | undefined): ClassCount[] {
  const rows = new Map<string, ClassCount>()
  if (Array.isArray(counts)) for (const one of counts) rows.set(one.class, one)
  else for (const [key, n] of Object.entries(counts ?? {})) rows.set(key, { class: key, title: '', rows: n })
  const names = [...new Set<string>([...CLASSES, ...rows.keys()])].sort()
  return names.map((key) => {
    const found = rows.get(key)
    return { class: key, title: found?.title || tCode('class', key), rows: found?.rows ?? 0 }
  })
}

export function isLive(batch: Pick<Batch, 'state'>): boolean {
  return batch.state === 'received' || batch.state === 'running'
}

/**
 * Settled without one row: `refused` with the reason why the file could not be taken as a table at all, `empty` where
 * nothing came. Such a batch is no success: what the sender meant to deliver is not there.
 */
export function unread(batch: Pick<Batch, 'state' | 'counts' | 'message'>): 'refused' | 'empty' | undefined {
  if (batch.state !== 'settled' || batch.counts.front > 0) return undefined
  return batch.message ? 'refused' : 'empty'
}

export const STATE_TONES: Record<BatchState, Tone> = {
  received: 'muted',
  running: 'brand',
  settled: 'ok',
  failed: 'bad',
  cancelled: 'muted',
}
