import { describe, expect, it } from 'vitest'
import * as fmt from './fmt'

const NOON_IN_BEIJING = Date.parse('2026-11-21T04:00:00Z')

describe('a clerk reads figures', () => {
  it.each([
    [1284, '1,284'],
    [0, '0'],
    [-15, '−15'],
    [1234567, '1,234,567'],
    [null, '—'],
    [undefined, '—'],
    [Number.NaN, '—'],
  ])('count %s is %s', (value, text) => expect(fmt.count(value)).toBe(text))

  it.each([
    [999, '999'],
    [9999, '9,999'],
    [61300, '6.13万'],
    [613000, '61.3万'],
    [6130000, '613万'],
    [99_996_000, '1.00亿'],
    [456000000, '4.56亿'],
    [-61300, '−6.13万'],
  ])('short count %s is %s', (value, text) => expect(fmt.countShort(value)).toBe(text))

  it('writes shares with %, their changes in points', () => {
    expect(fmt.share(0.744)).toBe('74.4%')
    expect(fmt.shareChange(0.034)).toBe('+3.4 个百分点')
    expect(fmt.shareChange(-0.012)).toBe('−1.2 个百分点')
    expect(fmt.shareChange(0)).toBe('0.0 个百分点')
    expect(fmt.shareChange(-0.0001)).toBe('0.0 个百分点')
  })

  it('never rounds "nearly all" to all, nor "a few" to none', () => {
    expect(fmt.shareOf(199_999, 200_000)).toBe('99.9%')
    expect(fmt.shareOf(1, 200_000)).toBe('<0.1%')
    expect(fmt.shareOf(200_000, 200_000)).toBe('100.0%')
    expect(fmt.shareOf(0, 200_000)).toBe('0.0%')
    expect(fmt.shareOf(0, 0)).toBe('—')
  })

  it('writes money kept in 分', () => {
    expect(fmt.money(500000)).toBe('5,000.00 元')
    expect(fmt.money(0)).toBe('0.00 元')
    expect(fmt.money(null)).toBe('—')
    expect(fmt.moneyWan(500000000)).toBe('500.00 万元')
  })

  it('writes sizes of files', () => {
    expect(fmt.bytes(512)).toBe('512 B')
    expect(fmt.bytes(2048)).toBe('2.0 KB')
    expect(fmt.bytes(1024 * 1024 - 1)).toBe('1.0 MB')
    expect(fmt.bytes(3 * 1024 ** 3)).toBe('3.0 GB')
  })
})

describe('dates are Beijing dates whatever the clock of the machine', () => {
  it('shows the instant of the store and of the interface alike', () => {
    expect(fmt.dateTime('2026-11-20T16:30:00Z')).toBe('2026-11-21 00:30')
    expect(fmt.dateTime(Date.parse('2026-11-20T16:30:00Z') * 1000)).toBe('2026-11-21 00:30')
    expect(fmt.clock('2026-11-20T16:30:05Z')).toBe('00:30:05')
  })

  it('leaves a date alone and writes it out for documents', () => {
    expect(fmt.date('2026-11-21')).toBe('2026-11-21')
    expect(fmt.dateLong('2026-01-05')).toBe('2026年1月5日')
    expect(fmt.date('')).toBe('—')
    expect(fmt.date('not a date')).toBe('—')
  })

  it('counts what is left to a deadline by the day', () => {
    expect(fmt.deadline('2026-11-23', NOON_IN_BEIJING)).toEqual({ text: '剩 2 天', tone: 'warn' })
    expect(fmt.deadline('2026-12-21', NOON_IN_BEIJING)).toEqual({ text: '剩 30 天', tone: 'muted' })
    expect(fmt.deadline('2026-11-21', NOON_IN_BEIJING)).toEqual({ text: '今日到期', tone: 'bad' })
    expect(fmt.deadline('2026-11-20', NOON_IN_BEIJING)).toEqual({ text: '逾期 1 天', tone: 'bad' })
    // 23:59 in Beijing is still today though the day has long begun elsewhere.
    expect(fmt.deadline('2026-11-21T15:59:00Z', NOON_IN_BEIJING).text).toBe('今日到期')
    expect(fmt.deadline(null, NOON_IN_BEIJING).text).toBe('—')
  })

  it('tells how long a batch took', () => {
    expect(fmt.duration('2026-11-21T00:00:00Z', '2026-11-21T00:00:03Z')).toBe('3 秒')
    expect(fmt.duration('2026-11-21T00:00:00Z', '2026-11-21T00:02:05Z')).toBe('2 分 05 秒')
    expect(fmt.duration('2026-11-21T00:00:00Z', '2026-11-21T01:02:00Z')).toBe('1 小时 02 分')
    expect(fmt.duration('2026-11-21T00:00:00.2Z', '2026-11-21T00:00:00.5Z')).toBe('不到 1 秒')
    expect(fmt.duration('2026-11-21T00:00:00Z', null)).toBe('—')
  })
})

describe('codes', () => {
  it('groups a credit code so that it can be read aloud', () => {
    expect(fmt.uscc('91370400MA3D2E3F55')).toBe('91 370400 MA3D2E3F5 5')
    expect(fmt.uscc('370402600012345')).toBe('370402600012345')
    expect(fmt.uscc(null)).toBe('—')
  })

  it('masks what identifies a person', () => {
    expect(fmt.maskId('370402199001011234')).toBe('3704**********1234')
    expect(fmt.maskPhone('13812345678')).toBe('138****5678')
    expect(fmt.maskPhone('12345')).toBe('*****')
  })
})
