// Rows of a long list, fetched page by page (keyset cursors) as one scrolls. A changed query starts anew; `refresh`
// looks at the newest page again without a flicker and leaves the reader where they are.
import type { Page } from '@shared/api.types'
import { Problem } from '@shared/client'
import { onBeforeUnmount, type Ref, ref, type ShallowRef, shallowRef, watch } from 'vue'
import { DIM_MS, type Phase } from '../useLoad'

export const PAGE_ROWS = 200

export type LoadPage<T> = (cursor: string, limit: number, signal: AbortSignal) => Promise<Page<T>>

export interface Rows<T> {
  rows: ShallowRef<T[]>
  hasMore: Readonly<Ref<boolean>>
  isLoadingMore: Readonly<Ref<boolean>>
  phase: Readonly<Ref<Phase>>
  problem: ShallowRef<Problem | undefined>
  isStale: Readonly<Ref<boolean>>
  more: () => Promise<void>
  reload: () => Promise<void>
  refresh: () => Promise<void>
}

export function useRows<T>(load: LoadPage<T>, keyOf: (row: T) => string, query: () => unknown): Rows<T> {
  const rows = shallowRef<T[]>([])
  const problem = shallowRef<Problem>()
  const phase: Ref<Phase> = ref('idle')
  const hasMore = ref(false)
  const isLoadingMore = ref(false)
  const isStale = ref(false)
  let cursor: string | null = null
  let running: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const asProblem = (cause: unknown): Problem => {
    if (!(cause instanceof Problem)) console.error(cause)
    return cause instanceof Problem ? cause : new Problem(500, {})
  }

  async function reload(): Promise<void> {
    running?.abort()
    const mine = new AbortController()
    running = mine
    clearTimeout(timer)
    phase.value = 'dim'
    problem.value = undefined
    isLoadingMore.value = false
    timer = setTimeout(() => {
      phase.value = 'skeleton'
    }, DIM_MS)
    try {
      const page = await load('', PAGE_ROWS, mine.signal)
      if (running !== mine) return
      rows.value = page.items
      cursor = page.next_cursor
      hasMore.value = cursor !== null
      isStale.value = false
      phase.value = 'ready'
    } catch (cause) {
      if (running !== mine || (cause instanceof DOMException && cause.name === 'AbortError')) return
      rows.value = []
      hasMore.value = false
      problem.value = asProblem(cause)
      phase.value = 'error'
    } finally {
      if (running === mine) clearTimeout(timer)
    }
  }

  async function more(): Promise<void> {
    const mine = running
    if (!mine || cursor === null || isLoadingMore.value || phase.value !== 'ready') return
    isLoadingMore.value = true
    try {
      const page = await load(cursor, PAGE_ROWS, mine.signal)
      if (running !== mine) return
      const known = new Set(rows.value.map(keyOf))
      rows.value = [...rows.value, ...page.items.filter((row) => !known.has(keyOf(row)))]
      cursor = page.next_cursor
      hasMore.value = cursor !== null
      isStale.value = false
    } catch (cause) {
      // what is loaded stays; the foot of the table offers to try again
      if (running === mine && !(cause instanceof DOMException)) isStale.value = true
    } finally {
      if (running === mine) isLoadingMore.value = false
    }
  }

  async function refresh(): Promise<void> {
    const mine = running
    if (!mine || phase.value !== 'ready') return reload()
    try {
      const page = await load('', PAGE_ROWS, mine.signal)
      if (running !== mine) return
      if (rows.value.length <= PAGE_ROWS) {
        rows.value = page.items
        cursor = page.next_cursor
        hasMore.value = cursor !== null
      } else {
        const fresh = new Map(page.items.map((row) => [keyOf(row), row]))
        const known = new Set(rows.value.map(keyOf))
        const kept = rows.value.map((row) => fresh.get(keyOf(row)) ?? row)
        rows.value = [...page.items.filter((row) => !known.has(keyOf(row))), ...kept]
      }
      isStale.value = false
    } catch (cause) {
      if (running === mine && !(cause instanceof DOMException)) isStale.value = true
    }
  }

  watch(
    () => JSON.stringify(query()),
    () => void reload(),
    { immediate: true },
  )
  onBeforeUnmount(() => {
    running?.abort()
    running = undefined
    clearTimeout(timer)
  })

  return { rows, hasMore, isLoadingMore, phase, problem, isStale, more, reload, refresh }
}
