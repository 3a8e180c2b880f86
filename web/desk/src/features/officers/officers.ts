// How the standing of a certificate is coloured; the words come from the server.
import type { Tone } from '@shared/fmt'

export const STANDINGS = ['in_force', 'expiring', 'expired', 'suspended', 'withdrawn'] as const
export type StandingName = (typeof STANDINGS)[number]

const TONES: Record<string, Tone> = {
  in_force: 'ok',
  expiring: 'warn',
  expired: 'bad',
  suspended: 'warn',
  withdrawn: 'muted',
}

export const standingTone = (name: string): Tone => TONES[name] ?? 'muted'
