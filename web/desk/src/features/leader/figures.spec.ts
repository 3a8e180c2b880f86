import { describe, expect, it } from 'vitest'
import { changeOf, classBounds, classOf, index, ranked, rate, targetOf, written } from './figures'

const figure = (value: number | null, previous: number | null, unit = 'percent', better = 'higher') => ({
  value,
  previous,
  unit,
  better,
})

describe('figures', () => {
  it('never rounds up to all or down to nothing', () => {
    expect(rate(0.99999)).toBe('99.9%')
    expect(rate(1)).toBe('100.0%')
    expect(index(0.99999)).toBe('0.999')
    expect(index(0.0004)).toBe('<0.001')
    expect(written(null, 'percent')).toBe('—')
    expect(written(1234, 'count')).toBe('1,234')
  })

  it('says a change of a rate in percentage points, and whether it is good', () => {
    expect(changeOf(figure(0.5, 0.45))).toEqual({ text: '较上期 +5.0 个百分点', tone: 'ok' })
    expect(changeOf(figure(3, 5, 'count', 'lower'))).toEqual({ text: '较上期 −2', tone: 'ok' })
    expect(changeOf(figure(0.4, 0.5, 'index')).tone).toBe('bad')
    expect(changeOf(figure(0.4, null)).tone).toBe('muted')
    expect(changeOf(figure(0.4, 0.4)).text).toBe('与上期持平')
  })

  it('writes a target with its direction', () => {
    expect(targetOf({ target: 0.4, unit: 'percent', better: 'higher' })).toBe('≥ 40%')
    expect(targetOf({ target: 0, unit: 'count', better: 'lower' })).toBe('≤ 0')
  })

  it('puts every area of a map into a class, the lowest into the lightest', () => {
    const bounds = classBounds([5, 1, 3, 2, 8, 13])
    expect(bounds.length).toBe(4)
    expect(classOf(1, bounds)).toBe(1)
    expect(classOf(13, bounds)).toBe(4)
    expect(classOf(null, bounds)).toBe(0)
    expect(classBounds([7, 7, 7])).toEqual([7])
    expect(classBounds([])).toEqual([])
  })

  it('ranks the best first and whoever has no value last', () => {
    const one = (code: string, value: number | null) => ({
      code,
      name: code,
      collected: 0,
      acts: 0,
      overdue: 0,
      correct: { numerator: 0, denominator: 0, value },
      coverage: { numerator: 0, denominator: 0, value: null },
      timeliness: { numerator: 0, denominator: 0, value: null },
    })
    const order = ranked([one('A', null), one('B', 0.2), one('C', 0.9)], 'correct')
    expect(order.map((standing) => standing.code)).toEqual(['C', 'B', 'A'])
  })
})
