// Where a list stands lives in the URL (shareable, Back works): filters, page size and cursor. Going back a page
// needs the cursors that led here; they ride along in the browser's history entry.
import { computed } from 'vue'
import { type LocationQueryRaw, useRoute, useRouter } from 'vue-router'

export const PAGE_SIZES = [20, 50, 100] as const
const DEFAULT_SIZE = 20

function one(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function useCursor() {
  const route = useRoute()
  const router = useRouter()

  const cursor = computed(() => one(route.query.cursor))
  const limit = computed(() => {
    const asked = Number(one(route.query.limit))
    return (PAGE_SIZES as readonly number[]).includes(asked) ? asked : DEFAULT_SIZE
  })

  function trail(): string[] {
    const kept: unknown = window.history.state?.trail
    return Array.isArray(kept) ? kept.map(String) : []
  }

  function filter(name: string): string {
    return one(route.query[name])
  }

  /** A changed filter starts at the first page again. */
  function setFilters(changed: Record<string, string | undefined>): Promise<unknown> {
    const query: LocationQueryRaw = { ...route.query, ...changed, cursor: undefined }
    for (const [key, value] of Object.entries(query)) if (!value) delete query[key]
    return router.push({ query, params: route.params })
  }

  function next(nextCursor: string): void {
    void router.push({
      query: { ...route.query, cursor: nextCursor },
      state: { trail: [...trail(), cursor.value] },
    })
  }

  function prev(): void {
    const before = trail()
    const last = before.pop()
    const query: LocationQueryRaw = { ...route.query, cursor: last || undefined }
    if (!last) delete query.cursor
    void router.push({ query, state: { trail: before } })
  }

  function first(): void {
    void setFilters({})
  }

  function setLimit(size: number): void {
    void setFilters({ limit: size === DEFAULT_SIZE ? undefined : String(size) })
  }

  return { cursor, limit, filter, setFilters, next, prev, first, setLimit }
}

export type Cursor = ReturnType<typeof useCursor>
