// How the standing of a source is coloured, and the order of the tabs; the words come from the server.
import type { Tone } from '@shared/fmt'

export const STANDINGS = ['in_use', 'silent', 'connecting', 'planned', 'overdue', 'stopped'] as const

const TONES: Record<string, Tone> = {
  in_use: 'ok',
  silent: 'warn',
  connecting: 'brand',
  planned: 'muted',
  overdue: 'bad',
  stopped: 'muted',
}

export const standingTone = (name: string): Tone => TONES[name] ?? 'muted'

export const STAGES = ['planned', 'connecting', 'live'] as const
export const CHANNELS = ['file', 'push', 'upload', 'manual'] as const
