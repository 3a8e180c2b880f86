// The number beside 待办. A count that cannot be had is left out: it must never stand in the way of the page.
import { Problem } from '@shared/client'
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { listWorkItems } from './flow.api'

const MOST = 99

export const useWorkCount = defineStore('work-count', () => {
  const label = ref('')

  async function load(): Promise<void> {
    try {
      const page = await listWorkItems({ state: 'open', limit: MOST })
      const isMore = page.next_cursor !== null && page.next_cursor !== undefined
      label.value = page.items.length === 0 ? '' : isMore ? `${MOST}+` : String(page.items.length)
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
      label.value = ''
    }
  }

  return { label, load }
})
