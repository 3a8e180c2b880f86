import { expect, it } from 'vitest'
import { MAX_BYTES, mayDeliver, refuse } from './upload'

it('takes what departments hand in', () => {
  expect(refuse({ name: '行政检查.CSV', size: 10 })).toBeUndefined()
  expect(refuse({ name: 'a.b.xlsx', size: MAX_BYTES })).toBeUndefined()
})

it('refuses before sending what the server would refuse', () => {
  expect(refuse({ name: '报表.xls', size: 10 })).toBe('format')
  expect(refuse({ name: 'csv', size: 10 })).toBe('format')
  expect(refuse({ name: 'a.csv', size: 0 })).toBe('empty')
  expect(refuse({ name: 'a.csv', size: MAX_BYTES + 1 })).toBe('size')
})

it('offers only sources that may hand in this table as a file', () => {
  const source = { status: 'active', channels: ['file', 'push'], tables: ['check_action'] }
  expect(mayDeliver(source, 'check_action')).toBe(true)
  expect(mayDeliver(source, 'punish_action')).toBe(false)
  expect(mayDeliver({ ...source, tables: [] }, 'punish_action')).toBe(true)
  expect(mayDeliver({ ...source, channels: ['push'] }, 'check_action')).toBe(false)
  expect(mayDeliver({ ...source, status: 'stopped' }, 'check_action')).toBe(false)
})
