// Apart from the drafts themselves, because the session needs it and the drafts need the session.
export const DRAFT_PREFIX = 'mj-draft:'

/** At a deliberate sign-out: nothing about persons stays behind in the tab. */
export function forgetPersonalDrafts(): void {
  try {
    for (let at = sessionStorage.length - 1; at >= 0; at -= 1) {
      const key = sessionStorage.key(at)
      if (key?.startsWith(DRAFT_PREFIX)) sessionStorage.removeItem(key)
    }
  } catch {
    // no store, nothing kept
  }
}
