// Loading as the reader sees it: the old rows stay, dimmed, for up to 300 ms; then skeleton rows; then either
// the new rows or one sentence with a way to try again. A quiet reload (polling) changes nothing until it is done.
import { Problem } from '@shared/client'
import { onBeforeUnmount, type Ref, ref, type ShallowRef, shallowRef } from 'vue'

export const DIM_MS = 300

export type Phase = 'idle' | 'dim' | 'skeleton' | 'ready' | 'error'

export interface Loaded<T> {
  data: ShallowRef<T | undefined>
  problem: ShallowRef<Problem | undefined>
  phase: Readonly<Ref<Phase>>
  /** True when a quiet reload failed: what is shown is older than it should be. */
  isStale: Readonly<Ref<boolean>>
  reload: () => Promise<void>
  refresh: () => Promise<void>
}

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const data = shallowRef<T>()
  const problem = shallowRef<Problem>()
  const phase: Ref<Phase> = ref('idle')
  const isStale = ref(false)
  let running: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  async function run(isQuiet: boolean): Promise<void> {
    running?.abort()
    const mine = new AbortController()
    running = mine
    clearTimeout(timer)
    if (!isQuiet) {
      phase.value = 'dim'
      problem.value = undefined
      timer = setTimeout(() => {
        phase.value = 'skeleton'
      }, DIM_MS)
    }
    try {
      const loaded = await load(mine.signal)
      if (running !== mine) return
      data.value = loaded
      isStale.value = false
      problem.value = undefined
      phase.value = 'ready'
    } catch (cause) {
      if (running !== mine) return
      if (isQuiet && data.value !== undefined) {
        isStale.value = true
        return
      }
      problem.value = cause instanceof Problem ? cause : new Problem(500, {})
      data.value = undefined
      phase.value = 'error'
      if (!(cause instanceof Problem)) console.error(cause)
    } finally {
      if (running === mine) clearTimeout(timer)
    }
  }

  onBeforeUnmount(() => {
    running?.abort()
    running = undefined
    clearTimeout(timer)
  })

  return {
    data,
    problem,
    phase,
    isStale,
    reload: () => run(false),
    refresh: () => run(true),
  }
}

/** Calls `tick` every `ms` while `isNeeded` and while somebody looks at the page. */
export function usePoll(tick: () => Promise<void>, isNeeded: () => boolean, ms = 1500): void {
  let isBusy = false
  const timer = setInterval(() => {
    if (isBusy || document.hidden || !isNeeded()) return
    isBusy = true
    void tick().finally(() => {
      isBusy = false
    })
  }, ms)
  onBeforeUnmount(() => clearInterval(timer))
}
