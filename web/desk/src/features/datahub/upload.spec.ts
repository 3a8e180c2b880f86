import { expect, it } from 'vitest'
import { MAX_BYTES, refuse } from './upload'

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
