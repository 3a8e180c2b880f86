// Keys of the workbench. A page says which keys it knows and what they do; the one listener of the shell runs the
// newest that fits, and `?` lists them all. Keys without a modifier never fire while somebody types.
import { onBeforeUnmount, onMounted, type Ref, shallowRef } from 'vue'

export interface KeySpec {
  /** As `KeyboardEvent.key`, e.g. `/`, `Enter`, `y`. */
  key: string
  /** What it does, for the list of keys. */
  text: string
  run?: (event: KeyboardEvent) => void
}

const layers: Ref<KeySpec[][]> = shallowRef([])

export function useKeys(keys: KeySpec[]): void {
  onMounted(() => {
    layers.value = [...layers.value, keys]
  })
  onBeforeUnmount(() => {
    layers.value = layers.value.filter((one) => one !== keys)
  })
}

/** All keys that hold now, the page's own first; each key once. */
export function keysInForce(): KeySpec[] {
  const seen = new Set<string>()
  return [...layers.value]
    .reverse()
    .flat()
    .filter((one) => !seen.has(one.key) && seen.add(one.key))
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  )
    return true
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(target.type)
}

/** Runs what the key stands for; true when there was something. */
export function dispatchKey(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing)
    return false
  if (isTyping(event.target)) return false
  const found = keysInForce().find((one) => one.run && one.key.toLowerCase() === event.key.toLowerCase())
  if (!found) return false
  event.preventDefault()
  found.run?.(event)
  return true
}
