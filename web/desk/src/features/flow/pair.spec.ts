import { expect, it } from 'vitest'
import { pairOf, plainParts } from './pair'

it('lays a doubtful record beside the party it may be', () => {
  const pair = pairOf({
    mention: { id: 'm1', name: '滕州市善国餐饮店', address: '善国南路 1 号' },
    candidates: [
      {
        party_id: 'p1',
        name: '滕州善国餐饮店',
        address: '善国南路 1 号',
        score: 0.87,
        explain: ['地址相同'],
      },
    ],
  })
  expect(pair?.partyId).toBe('p1')
  expect(pair?.score).toBe(0.87)
  expect(pair?.rows.map((row) => [row.key, row.isEqual])).toEqual([
    ['name', false],
    ['address', true],
  ])
})

it('does not call two empty values equal', () => {
  expect(pairOf({ left: { name: '甲', uscc: '' }, right: { name: '甲', uscc: null } })?.rows).toHaveLength(1)
})

it('says that there is no pair rather than guess', () => {
  expect(pairOf({ note: '请核实' })).toBeUndefined()
  expect(pairOf(null)).toBeUndefined()
  expect(plainParts({ name: '甲', nested: {} })).toEqual([{ title: '名称', value: '甲' }])
})
