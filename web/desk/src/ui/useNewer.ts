// A page stays open for days; meanwhile the node is upgraded and the parts that were not loaded yet are gone. The page
// asks now and then what the node would give today, by the name of its own first script, and offers to load anew:
// drafts are kept, nothing that was typed is lost.
import { onBeforeUnmount, onMounted, type Ref, ref } from 'vue'

const ASK_EVERY_MS = 10 * 60 * 1000
const START = /\/assets\/index-[\w-]+\.js/

/** Pure: the first script a page names, or nothing where it names none (a node that builds anew). */
export function firstScript(html: string): string {
  return START.exec(html)?.[0] ?? ''
}

const isNewer = ref(false)
let asked = 0

/** Asks the node, at most every few seconds whoever calls. */
export async function askForNewer(now = Date.now()): Promise<void> {
  const own = firstScript(document.documentElement.outerHTML)
  if (isNewer.value || own === '' || now - asked < 5_000) return
  asked = now
  try {
    const answer = await fetch('/desk/', { cache: 'no-cache', credentials: 'same-origin' })
    if (!answer.ok) return
    const there = firstScript(await answer.text())
    isNewer.value = there !== '' && there !== own
  } catch {
    // out of reach: whatever was asked of the node says so already
  }
}

export function useNewer(): Readonly<Ref<boolean>> {
  const timer = setInterval(() => {
    if (!document.hidden) void askForNewer()
  }, ASK_EVERY_MS)
  const seen = () => {
    if (!document.hidden) void askForNewer()
  }
  onMounted(() => document.addEventListener('visibilitychange', seen))
  onBeforeUnmount(() => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', seen)
  })
  return isNewer
}
