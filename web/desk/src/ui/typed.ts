// What somebody types to find something: a name, a number, a telephone. It stands in no address, because addresses
// are kept by browsers, proxies and logs. It is kept here, in the memory of this page, by place in the history, so
// that Back shows the list as it was; it is gone with the page and with the session.
import { type ComputedRef, computed, shallowRef, watch } from 'vue'
import { isNavigationFailure, NavigationFailureType, useRoute } from 'vue-router'
import { useSession } from '../features/session/session.store'
import { router } from '../router'

export type Texts = Record<string, string>

const kept = new Map<number, Texts>()
const texts = shallowRef<Texts>({})
let next: Texts | undefined
let isBack = false

/** The router numbers the entries of the history. */
const place = () => Number((history.state as { position?: number } | null)?.position ?? 0)

function keep(now: Texts): void {
  texts.value = now
  kept.set(place(), now)
}

router.options.history.listen(() => {
  isBack = true
})
router.afterEach((to, from, failure) => {
  const [isReturn, brought] = [isBack, next]
  isBack = false
  next = undefined
  // the menu's own link to the list that is shown asks for all of it; a record beside the list does not
  const isHere = isNavigationFailure(failure, NavigationFailureType.duplicated)
  if (isHere && Object.values(to.params).every((one) => !one)) keep({})
  if (failure) return
  // what opens over a list or beside it (`:id?`) is an entry of its own and leaves the list as it is
  const isOver = to.matched.at(-1)?.path.includes('?') ?? false
  const isSame =
    to.name === from.name && alike(to.query, from.query) && (isOver || alike(to.params, from.params))
  if (isReturn && !brought) texts.value = kept.get(place()) ?? {}
  else keep(brought ?? (isSame ? texts.value : {}))
})

function alike(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

/** What was typed for the list that is shown. */
export const typedTexts = () => texts.value

/** What the next entry of the history has typed. */
export function bringTyped(now: Texts): void {
  next = now
}

/** One box that filters a page as one types: no new entry in the history. */
export function useTyped(): { q: ComputedRef<string>; find: (text: string) => void } {
  const route = useRoute()
  const name = route.name
  const brought = computed(() =>
    route.name === name && typeof route.query.q === 'string' ? route.query.q : '',
  )
  // an address from before, or typed by hand
  watch(
    brought,
    (text) => {
      if (!text) return
      bringTyped({ q: text })
      const { q: _, ...query } = route.query
      void router.replace({ query, hash: route.hash })
    },
    { immediate: true },
  )
  return {
    q: computed(() => brought.value || (texts.value.q ?? '')),
    find: (text) => keep(text ? { q: text } : {}),
  }
}

watch(
  () => useSession().current,
  (now) => {
    if (now !== null) return
    kept.clear()
    texts.value = {}
  },
)
