// What typed division codes will be taken for, asked of the server while they are typed and never twice for one code.
import { Problem } from '@shared/client'
import { reactive, watch } from 'vue'
import { type Area, getArea } from './agencies.api'

export type KnownAreas = ReadonlyMap<string, Area>

export const isAreaCode = (code: string): boolean => /^(\d{6}|\d{9}|\d{12})$/.test(code)

export function useAreas(codes: () => readonly string[]): KnownAreas {
  const known = reactive(new Map<string, Area>())
  const asked = new Set<string>()
  async function ask(code: string): Promise<void> {
    asked.add(code)
    try {
      known.set(code, await getArea(code))
    } catch (cause) {
      // nothing depends on it: the form is judged again when it is sent
      asked.delete(code)
      if (!(cause instanceof Problem)) throw cause
    }
  }
  watch(
    codes,
    (now) => {
      for (const code of now) if (isAreaCode(code) && !asked.has(code)) void ask(code)
    },
    { immediate: true },
  )
  return known
}

/** What is wrong with the codes, in the server's words; empty when nothing is, or nothing is known yet. */
export const unknownAreas = (codes: readonly string[], known: KnownAreas): string =>
  codes
    .map((code) => known.get(code))
    .filter((one) => one?.standing === 'unknown')
    .map((one) => one?.said ?? '')
    .join(' ')

/** How a grant's preview calls an area. */
export function areaLabel(code: string, known: KnownAreas): string {
  const area = known.get(code)
  if (area?.standing === 'listed') return area.said
  return area?.standing === 'below' && area.name ? `${area.name} ${code}` : code
}
