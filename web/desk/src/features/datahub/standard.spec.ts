import { expect, it } from 'vitest'
import { kindTitle, personalTitle, typeTitle } from './standard'

it('names types and kinds however the server spells them', () => {
  expect(typeTitle('citizen_id')).toBe('身份证号')
  expect(typeTitle('CitizenId')).toBe('身份证号')
  expect(typeTitle('Code{object_type}')).toBe('代码')
  expect(typeTitle('Polygon')).toBe('Polygon')
  expect(kindTitle('Behaviour')).toBe('监管行为')
})

it('tells whether a column holds personal data', () => {
  expect([true, false, null, 'Always', 'no', 'When{column}'].map(personalTitle)).toEqual([
    '是',
    '',
    '',
    '是',
    '',
    '视情况',
  ])
})
