import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { TOUR } from './tour-pages.mjs'

/** Names of router.ts and their paths, read as text: importing it would need a browser's history. */
const source = readFileSync(new URL('../desk/src/router.ts', import.meta.url), 'utf8')
const routes = [...source.matchAll(/path: '([^']+)',\s*name: '([^']+)'/g)].map(([, path, name]) => ({
  name,
  path: new RegExp(
    `^/desk${path
      .replace(/:rest\(\.\*\)\*/, '.*')
      .replace(/\/:\w+\?/g, '(/[^/]+)?')
      .replace(/:\w+(\([^)]*\))?/g, (_, one) => one ?? '[^/]+')}$`,
  ),
}))

it('the tour shows every page of the workbench', () => {
  expect(routes.length).toBeGreaterThan(40)
  const shown = TOUR.flatMap((part) => part.pages.map((page) => page.path.split('?')[0] ?? ''))
    // a record is named by its table and its row
    .map((path) => path.replace('records/:id', 'records/table/row'))
  const missing = routes.filter((route) => !shown.some((path) => route.path.test(path)))
  expect(missing.map((route) => route.name)).toEqual([])
})
