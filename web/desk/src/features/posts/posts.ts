// Words and tones of a post's standing.
import type { Tone } from '@shared/fmt'

export const STATES = ['draft', 'submitted', 'returned', 'published', 'withdrawn'] as const
export const KINDS = ['news', 'exposure'] as const

const TONES: Record<string, Tone> = {
  draft: 'muted',
  submitted: 'brand',
  returned: 'warn',
  published: 'ok',
  correcting: 'brand',
  withdrawn: 'muted',
}

export const toneOf = (state: string): Tone => TONES[state] ?? 'muted'
