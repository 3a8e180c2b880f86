import type { components } from '@shared/api'
import { api } from '@shared/client'

export type Hit = components['schemas']['Hit']
export type HitGroup = components['schemas']['HitGroup']

export const find = (q: string, signal?: AbortSignal) =>
  api.get<components['schemas']['SearchAnswer']>('/search', { q }, signal)

/** Remembers on the server what was opened; that it could not be remembered stops nobody. */
export async function remember(kind: string, id: string): Promise<void> {
  try {
    await api.post('/home/recent', { kind, id })
  } catch {
    // the page itself is what matters
  }
}
