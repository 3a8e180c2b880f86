import { describe, expect, it } from 'vitest'
import { linesFor, linesText, periodText } from './grants'

const LINES = [
  { line: '16', name: '应急管理' },
  { line: '31', name: '市场监管' },
  { line: '33', name: '市场监测' },
]

describe('a grant in words', () => {
  it('names every line of items by code and name, and says when there is no limit', () => {
    expect(linesText(undefined)).toBe('全部监管事项')
    expect(linesText(LINES.slice(0, 2))).toBe('只限 16 应急管理、31 市场监管 的事项')
    expect(linesText([])).toBe('不含任何监管事项')
  })

  it('says from when until when', () => {
    expect(periodText({ valid_from: '2026-11-22', valid_to: '9999-12-31' })).toBe('2026-11-22 起')
    expect(periodText({ valid_from: '2026-11-22', valid_to: '2027-01-31' })).toBe('2026-11-22 至 2027-01-31')
    expect(periodText({ valid_to: '2027-01-31' })).toBe('立即生效，至 2027-01-31')
    expect(periodText({})).toBe('立即生效，长期')
  })
})

describe('looking for a line', () => {
  it('finds it by the beginning of its code or any part of its name, and never twice', () => {
    expect(linesFor(LINES, [], '3').map((one) => one.line)).toEqual(['31', '33'])
    expect(linesFor(LINES, [], ' 应急 ').map((one) => one.line)).toEqual(['16'])
    expect(linesFor(LINES, ['31'], '市场').map((one) => one.line)).toEqual(['33'])
    expect(linesFor(LINES, [], '海关')).toEqual([])
  })
})
