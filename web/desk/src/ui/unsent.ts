// What somebody typed or chose in a drawer and did not send yet. A field is remembered as it was when the person first
// came to it: one that was emptied again, or that the page emptied after sending, holds nothing that could be lost.
type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement

const heldBy = (field: Field): string =>
  field instanceof HTMLInputElement && (field.type === 'checkbox' || field.type === 'radio')
    ? String(field.checked)
    : field.value

const isField = (target: EventTarget | null): target is Field =>
  target instanceof HTMLInputElement ||
  target instanceof HTMLTextAreaElement ||
  target instanceof HTMLSelectElement

/** The event by which `AppSelect` says that a choice was made: its own box shows another text than its value. */
export const CHOSEN = 'mj-chosen'

export function useUnsent() {
  const before = new Map<Field, string>()
  const chosen = new Set<Element>()

  /** For `focusin`. */
  function touched({ target }: Event): void {
    // what is typed into a select's box only looks for a choice
    if (!isField(target) || target.closest('.el-select')) return
    if (!before.has(target)) before.set(target, heldBy(target))
  }

  /** For the event `CHOSEN`. */
  function choose({ target }: Event): void {
    if (target instanceof Element) chosen.add(target)
  }

  function isUnsent(): boolean {
    for (const [field, was] of before) if (field.isConnected && heldBy(field) !== was) return true
    return [...chosen].some((one) => one.isConnected)
  }

  return { touched, choose, isUnsent }
}
