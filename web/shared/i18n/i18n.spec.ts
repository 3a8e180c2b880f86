import { afterEach, describe, expect, it } from 'vitest'
import { fill, t, tCode, useDictionary } from './index'
import { zhCN } from './zh-CN'

afterEach(() => useDictionary(zhCN))

describe('messages', () => {
  it('fills the variables in', () => {
    expect(t('table.all', { n: '1,284' })).toBe('共 1,284 条')
    expect(fill('{a} 与 {b}', { a: 1, b: 2 })).toBe('1 与 2')
  })

  it('falls back to the source text where a translation is missing', () => {
    useDictionary({ 'state.retry': 'Try again' })
    expect(t('state.retry')).toBe('Try again')
    expect(t('state.copy')).toBe(zhCN['state.copy'])
  })

  it('shows an unknown code as it is rather than nothing', () => {
    expect(tCode('batch.state', 'settled')).toBe('已完成')
    expect(tCode('batch.state', 'new_state')).toBe('new_state')
    expect(tCode('batch.state', null)).toBe('—')
  })

  it('has no message that is empty or ends in a stray space', () => {
    for (const [key, text] of Object.entries(zhCN)) {
      expect(text, key).not.toBe('')
      expect(text, key).toBe(text.trim())
    }
  })
})
