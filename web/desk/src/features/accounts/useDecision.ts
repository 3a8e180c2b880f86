// One asks, another decides: which request somebody is deciding upon, how, and that the list shows it afterwards.
import { type Ref, ref, shallowRef } from 'vue'
import { ElMessage } from '../../ui/element-drawer'
import type { Loaded } from '../../ui/useLoad'

/** What every such request tells, whatever is asked for. */
export interface RequestRow {
  id: string
  state: string
  reason: string
  requested_by_name: string
  requested_at: string
  decided_by_name?: string | null
  decided_at?: string | null
  decided_why?: string | null
}

/** What the request came to, as a colour. */
export const toneOf = (state: string) =>
  state === 'waiting'
    ? 'warn'
    : state === 'confirmed' || state === 'approved' || state === 'used'
      ? 'ok'
      : 'muted'

export function useDecision<T, V extends string>(
  list: Loaded<unknown>,
  decide: (one: T, verb: V, reason: string) => Promise<unknown>,
  said: Record<V, string>,
) {
  const chosen = shallowRef<T>()
  const verb = ref() as Ref<V | undefined>

  function start(one: T, what: V): void {
    chosen.value = one
    verb.value = what
  }

  async function act(reason: string): Promise<void> {
    if (!chosen.value || !verb.value) return
    try {
      await decide(chosen.value, verb.value, reason)
    } finally {
      // also when it failed: somebody else may have decided meanwhile
      await list.refresh()
    }
    ElMessage.success(said[verb.value])
  }

  const close = (): void => {
    chosen.value = undefined
  }
  return { chosen, verb, start, act, close }
}
