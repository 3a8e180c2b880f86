// What the node is called and whether its data is made up. Every page that cannot learn it goes without.
import type { Site } from '@shared/api.types'
import { api, Problem } from '@shared/client'
import { defineStore } from 'pinia'
import { shallowRef } from 'vue'

export const useSite = defineStore('site', () => {
  const site = shallowRef<Site>()

  async function load(): Promise<void> {
    if (site.value) return
    try {
      site.value = await api.get<Site>('/site')
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause
    }
  }

  return { site, load }
})
