// How somebody likes a list: which columns, how wide, how dense. Kept in the browser, one entry for each account and
// list, so that two people on one machine do not rearrange each other's tables. Nothing of the rows is in it.
import { ref, watch } from 'vue'
import { useSession } from '../../features/session/session.store'

export interface TablePreference {
  /** Columns shown or hidden against their default. */
  shown: Record<string, boolean>
  widths: Record<string, number>
}

const PREFIX = 'mj-desk-table'

function read(key: string): TablePreference {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<TablePreference>
    return { shown: kept.shown ?? {}, widths: kept.widths ?? {} }
  } catch {
    return { shown: {}, widths: {} }
  }
}

export function usePreference(name: string) {
  const key = `${PREFIX}:${useSession().current?.account_id ?? ''}:${name}`
  const preference = ref<TablePreference>(read(key))
  watch(
    preference,
    (now) => {
      try {
        localStorage.setItem(key, JSON.stringify(now))
      } catch {
        // a full or forbidden store: the table still works, it only forgets
      }
    },
    { deep: true },
  )
  return {
    preference,
    reset: () => {
      preference.value = { shown: {}, widths: {} }
    },
  }
}
