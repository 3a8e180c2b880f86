// What somebody typed survives a reload, a session that ended and a line that broke. Drafts are kept in this browser by
// account, so that a colleague on the same machine never sees them; those that may name a person live only as long as
// the tab, the others three days. Submitting or discarding removes them; so does signing out for the personal ones.
import { onBeforeUnmount, type Ref, ref, watch } from 'vue'
import { useSession } from '../features/session/session.store'
import { DRAFT_PREFIX as PREFIX } from './forgetDrafts'

const KEEP_MS = 3 * 24 * 3600 * 1000
const SAVE_AFTER_MS = 300

interface Kept<T> {
  at: number
  data: T
}

function store(isPersonal: boolean): Storage | undefined {
  try {
    return isPersonal ? sessionStorage : localStorage
  } catch {
    return undefined
  }
}

/** Old drafts of everybody go, whoever opens the page. */
function sweep(from: Storage): void {
  for (let at = from.length - 1; at >= 0; at -= 1) {
    const key = from.key(at)
    if (!key?.startsWith(PREFIX)) continue
    try {
      const kept = JSON.parse(from.getItem(key) ?? '') as Kept<unknown>
      if (Date.now() - kept.at < KEEP_MS) continue
    } catch {
      // not a draft any more
    }
    from.removeItem(key)
  }
}

export interface DraftOptions<T> {
  /** The form, e.g. `work-item`. */
  form: string
  /** Which record; a function, because a drawer shows one after the other. */
  key: () => string
  data: Ref<T>
  isEmpty: (data: T) => boolean
  isPersonal?: boolean
}

export function useDraft<T>({ form, key, data, isEmpty, isPersonal = false }: DraftOptions<T>) {
  const account = useSession().current?.account_id ?? ''
  const place = store(isPersonal)
  const restoredAt = ref<number>()
  const name = () => `${PREFIX}${account}:${form}:${key()}`
  let timer: ReturnType<typeof setTimeout> | undefined
  let isQuiet = false

  function save(): void {
    clearTimeout(timer)
    if (!place || !account) return
    try {
      if (isEmpty(data.value)) place.removeItem(name())
      else place.setItem(name(), JSON.stringify({ at: Date.now(), data: data.value } satisfies Kept<T>))
    } catch {
      // a full store: the form still works, it only forgets
    }
  }

  function restore(): void {
    restoredAt.value = undefined
    if (!place || !account) return
    sweep(place)
    const text = place.getItem(name())
    if (text === null) return
    try {
      const kept = JSON.parse(text) as Kept<T>
      isQuiet = true
      data.value = kept.data
      restoredAt.value = kept.at
    } catch {
      place.removeItem(name())
    }
  }

  function clear(): void {
    clearTimeout(timer)
    restoredAt.value = undefined
    place?.removeItem(name())
  }

  watch(
    data,
    () => {
      if (isQuiet) {
        isQuiet = false
        return
      }
      clearTimeout(timer)
      timer = setTimeout(save, SAVE_AFTER_MS)
    },
    { deep: true },
  )
  watch(key, restore)
  restore()
  // a tab that closes or a session that ends must not lose the last word
  const now = () => timer !== undefined && save()
  window.addEventListener('pagehide', now)
  onBeforeUnmount(() => {
    window.removeEventListener('pagehide', now)
    if (timer !== undefined && !isEmpty(data.value)) save()
    clearTimeout(timer)
  })

  return { restoredAt, clear, save }
}
