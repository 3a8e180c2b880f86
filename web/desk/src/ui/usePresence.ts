// Who else has the same record open: a heartbeat while the page is looked at, nothing when it is not.
import { api, Problem } from '@shared/client'
import { onBeforeUnmount, ref, watch } from 'vue'
import { useSession } from '../features/session/session.store'

const BEAT_MS = 15_000

export interface Colleague {
  name: string
  since: string
}

export function usePresence(object: () => string | undefined) {
  const others = ref<Colleague[]>([])
  const mayTell = useSession().can('flow.presence.update')
  let told: string | undefined

  async function beat(): Promise<void> {
    const now = object()
    if (!mayTell || !now || document.hidden) return
    told = now
    try {
      others.value = (await api.post<{ others: Colleague[] }>('/flow/presence', { object: now })).others
    } catch (cause) {
      // to know who is there is a courtesy; without it the page works all the same
      if (!(cause instanceof Problem)) throw cause
      others.value = []
    }
  }

  function leave(): void {
    if (!told) return
    api.post('/flow/presence', { object: told, leave: true }).catch(() => {})
    told = undefined
  }

  watch(
    object,
    () => {
      leave()
      others.value = []
      void beat()
    },
    { immediate: true },
  )
  const timer = setInterval(() => void beat(), BEAT_MS)
  onBeforeUnmount(() => {
    clearInterval(timer)
    leave()
  })
  return { others, beat }
}
