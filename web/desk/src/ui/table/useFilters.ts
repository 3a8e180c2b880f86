// The filters of a list live in the URL: they can be sent to a colleague, and Back works. What is typed to find
// somebody does not (see typed.ts). An address may be old or typed by hand, so a filter or a value that the list does
// not know is named and left out, never an error.
import { t } from '@shared/i18n'
import { computed, watch } from 'vue'
import { type LocationQuery, type LocationQueryRaw, useRoute, useRouter } from 'vue-router'
import { bringTyped, type Texts, typedTexts } from '../typed'

export interface FilterSpec {
  /** What the clerk calls it. */
  label: string
  /** The only values it may have; a function, because some lists are loaded later. */
  options?: () => readonly string[] | undefined
  /** Whether a value can be meant at all, e.g. a day. */
  isValid?: (value: string) => boolean
  /** Longest text; what is longer is cut. */
  max?: number
  /** Typed to find somebody or something: it stands in no address. */
  isTyped?: boolean
}

export type FilterSpecs<K extends string> = Record<K, FilterSpec>

export interface FilterReading<K extends string> {
  values: Record<K, string>
  /** One sentence for each thing in the address that was left out or cut. */
  ignored: string[]
}

/** Keys that pages use beside filters. */
const OWN = ['sort', 'view', 'tab']
const MOST_NAMED = 20

function short(text: string): string {
  return text.length > MOST_NAMED ? `${text.slice(0, MOST_NAMED)}…` : text
}

/** Pure: what an address says, read by the list's own filters. */
export function readFilters<K extends string>(
  query: LocationQuery,
  specs: FilterSpecs<K>,
  own: readonly string[] = OWN,
  typed: Texts = {},
): FilterReading<K> {
  const values = {} as Record<K, string>
  const ignored: string[] = []
  for (const name of Object.keys(specs) as K[]) {
    const spec = specs[name]
    // an address from before, or typed by hand, may hold the text still
    const raw = query[name] || (spec.isTyped ? typed[name] : undefined)
    let value = (Array.isArray(raw) ? raw[0] : raw) ?? ''
    const options = spec.options?.()
    if (value && ((options && !options.includes(value)) || spec.isValid?.(value) === false)) {
      ignored.push(t('table.ignored_value', { name: spec.label, value: short(value) }))
      value = ''
    }
    if (spec.max && value.length > spec.max) {
      ignored.push(t('table.cut', { name: spec.label, n: value.length, most: spec.max }))
      value = value.slice(0, spec.max)
    }
    values[name] = value
  }
  for (const name of Object.keys(query)) {
    if (!(name in specs) && !own.includes(name)) {
      ignored.push(t('table.ignored_filter', { name: short(name) }))
    }
  }
  return { values, ignored }
}

export function useFilters<K extends string>(specs: FilterSpecs<K>, own: readonly string[] = []) {
  const route = useRoute()
  const router = useRouter()
  const typedNames = (Object.keys(specs) as K[]).filter((name) => specs[name].isTyped)
  const reading = computed(() => readFilters(route.query, specs, [...OWN, ...own], typedTexts()))
  const values = computed(() => reading.value.values)
  const ignored = computed(() => reading.value.ignored)
  const isFiltered = computed(() => Object.values(values.value).some((value) => value !== ''))
  const sort = computed(() => (typeof route.query.sort === 'string' ? route.query.sort : ''))

  /** The texts leave the query; the entry of the history that is made now has them. */
  function withoutTyped(query: LocationQueryRaw): LocationQueryRaw {
    const texts: Texts = {}
    for (const name of typedNames) {
      const text = query[name]
      if (typeof text === 'string' && text) texts[name] = text
      delete query[name]
    }
    bringTyped(texts)
    return query
  }

  function push(changed: Record<string, string | undefined>): void {
    const typed = Object.fromEntries(typedNames.map((name) => [name, values.value[name]]))
    const now: LocationQueryRaw = { ...route.query, ...typed }
    if (Object.entries(changed).every(([name, value]) => (value ?? '') === (now[name] ?? ''))) return
    const query: LocationQueryRaw = { ...now, ...changed }
    for (const [name, value] of Object.entries(query)) if (!value) delete query[name]
    // forced: another text at the same address is another entry of the history
    void router.push({ query: withoutTyped(query), params: route.params, force: true })
  }

  /** Takes what is not known out of the address, too. */
  function tidy(): void {
    const query: LocationQueryRaw = {}
    for (const name of Object.keys(specs) as K[]) if (values.value[name]) query[name] = values.value[name]
    for (const name of [...OWN, ...own]) if (route.query[name]) query[name] = route.query[name]
    void router.replace({ query: withoutTyped(query), params: route.params, force: true })
  }

  const page = route.name
  watch(
    () => route.name === page && typedNames.some((name) => route.query[name]),
    (isBrought) => {
      if (!isBrought) return
      const query = withoutTyped({ ...route.query })
      void router.replace({ query, params: route.params, force: true })
    },
    { immediate: true },
  )

  function clear(): void {
    push(Object.fromEntries(Object.keys(specs).map((name) => [name, undefined])))
  }

  return {
    values,
    ignored,
    isFiltered,
    sort,
    set: (changed: Partial<Record<K, string | undefined>>) =>
      push(changed as Record<string, string | undefined>),
    setSort: (value: string) => push({ sort: value || undefined }),
    setOwn: (changed: Record<string, string | undefined>) => push(changed),
    clear,
    tidy,
  }
}

export type Filters<K extends string> = ReturnType<typeof useFilters<K>>
