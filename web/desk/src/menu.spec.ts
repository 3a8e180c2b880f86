import { expect, it } from 'vitest'
import { homeFor, mayOpen, menuFor } from './menu'

const only =
  (...actions: string[]) =>
  (action: string) =>
    actions.includes(action)

it('shows a person only what their role can use', () => {
  const names = menuFor(only('registry.party.read', 'flow.work_item.read')).flatMap((group) =>
    group.links.map((one) => one.name),
  )
  expect(names).toEqual(['work-items', 'parties', 'merges'])
})

it('begins the day at the first page of the role', () => {
  expect(homeFor(only('home.read', 'datahub.summary.read'))).toBe('home')
  expect(homeFor(only('datahub.summary.read', 'registry.party.read'))).toBe('overview')
  expect(homeFor(only('datahub.table.read', 'registry.party.read'))).toBe('parties')
  expect(homeFor(only('datahub.table.read'))).toBe('standard')
  expect(homeFor(only())).toBe('standard')
})

it('opens no page of the menu without its right, and leaves the others to themselves', () => {
  expect(mayOpen('ledger', only('home.read'))).toBe(false)
  expect(mayOpen('ledger', only('ledger.entry.read'))).toBe(true)
  expect(mayOpen('ledger-entry', only())).toBe(true)
  expect(mayOpen(undefined, only())).toBe(true)
})
