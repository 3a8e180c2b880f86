// What the page is narrowed to lives in the URL: shareable, and Back works.
import { computed } from 'vue'
import { type LocationQueryRaw, useRoute, useRouter } from 'vue-router'
import type { FigureQuery } from './leader.api'

export const NAMES = ['period', 'from', 'to', 'area', 'own', 'agency', 'table', 'source', 'main'] as const

export function useFigureQuery() {
  const route = useRoute()
  const router = useRouter()
  const query = computed<FigureQuery>(() => {
    const found: FigureQuery = {}
    for (const name of NAMES) {
      const value = route.query[name]
      if (typeof value === 'string' && value !== '') found[name] = value
    }
    return found
  })

  function changed(change: FigureQuery): LocationQueryRaw {
    const next: LocationQueryRaw = { ...route.query, ...change, cursor: undefined }
    for (const [name, value] of Object.entries(next)) if (!value) delete next[name]
    return next
  }

  function narrow(change: FigureQuery): void {
    void router.push({ query: changed(change), params: route.params })
  }

  return { query, changed, narrow }
}
