// Where a hit leads, and the pages that the box finds by itself: the menu, as far as the role goes.
import { t } from '@shared/i18n'
import type { RouteLocationRaw } from 'vue-router'
import { menuFor } from '../../menu'
import type { Hit, HitGroup } from './search.api'

export function placeOf(hit: Hit): RouteLocationRaw {
  const [first = '', second] = hit.id.split('/')
  switch (hit.kind) {
    case 'party':
      return { name: 'party', params: { id: hit.id } }
    case 'officer':
      return { name: 'officer', params: { id: hit.id } }
    case 'agency':
      return { name: 'agency', params: { id: hit.id } }
    case 'account':
      return { name: 'account', params: { id: hit.id } }
    case 'batch':
      return { name: 'batch', params: { id: hit.id } }
    case 'item':
      return { name: 'item', params: { code: hit.id } }
    case 'source':
      return { name: 'source', params: { id: hit.id } }
    case 'table':
      return { name: 'standard-table', params: { table: hit.id } }
    case 'field':
      return { name: 'standard-table', params: { table: first }, hash: second ? `#col-${second}` : '' }
    case 'list':
      return { name: 'code-list', params: { list: hit.id } }
    default:
      return { name: hit.id }
  }
}

/** Pages of the menu with these words in their name. */
export function pagesFor(q: string, can: (action: string) => boolean): HitGroup[] {
  const needle = q.trim().toLowerCase()
  if (!needle) return []
  const items: Hit[] = []
  for (const group of menuFor(can))
    for (const link of group.links)
      if (link.text.toLowerCase().includes(needle))
        items.push({ kind: 'page', id: link.name, title: link.text, note: group.title })
  return items.length === 0 ? [] : [{ kind: 'page', title: t('kind.page'), items, more: false }]
}
