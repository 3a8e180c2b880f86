import { expect, test } from 'vitest'
import type { Area } from './agencies.api'
import { areaLabel, isAreaCode, unknownAreas } from './areas'

const known = new Map<string, Area>([
  ['370402', { code: '370402', standing: 'listed', name: '山东省枣庄市市中区', said: '山东省枣庄市市中区' }],
  ['370271', { code: '370271', standing: 'below', name: '山东省青岛市', said: '不在行政区划表内，按……登记' }],
  ['999999', { code: '999999', standing: 'unknown', name: null, said: '行政区划代码 999999 不存在' }],
])

test('a clerk reads names where the table knows the code, and the code below its city where it does not', () => {
  expect(areaLabel('370402', known)).toBe('山东省枣庄市市中区')
  expect(areaLabel('370271', known)).toBe('山东省青岛市 370271')
  expect(areaLabel('370481', known)).toBe('370481')
})

test('a code that is nowhere is said before anything is sent; one still asked for is not held against anybody', () => {
  expect(unknownAreas(['370402', '370271', '370481'], known)).toBe('')
  expect(unknownAreas(['370402', '999999'], known)).toBe('行政区划代码 999999 不存在')
})

test('only whole codes are asked for', () => {
  expect(['370402', '370402001', '370402001001'].every(isAreaCode)).toBe(true)
  expect(['', '37040', '3704021', '37040a'].some(isAreaCode)).toBe(false)
})
