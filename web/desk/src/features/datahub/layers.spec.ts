import { describe, expect, it } from 'vitest'
import { allClasses, isLive, segments, sumOfParts, unaccounted, unread } from './layers'

const batch = { front: 1000, pending: 0, correct: 940, error: 40, duplicate: 15, superseded: 5 }

describe('the counts of a batch', () => {
  it('reconcile: front is the sum of the rest', () => {
    expect(sumOfParts(batch)).toBe(1000)
    expect(unaccounted(batch)).toBe(0)
  })

  it('say how many rows are unaccounted for when they do not', () => {
    expect(unaccounted({ ...batch, correct: 938 })).toBe(2)
  })

  it('fill the bar to its end and leave no part with rows invisible', () => {
    const bar = segments({
      ...batch,
      front: 200_000,
      correct: 199_999,
      error: 1,
      duplicate: 0,
      superseded: 0,
    })
    expect(bar.map((one) => one.part)).toEqual(['correct', 'error'])
    const last = bar[bar.length - 1]
    expect(last?.width).toBeGreaterThan(3)
    expect((last?.x ?? 0) + (last?.width ?? 0)).toBeCloseTo(1000)
  })

  it('draw nothing for an empty batch', () => {
    expect(segments({ front: 0, pending: 0, correct: 0, error: 0, duplicate: 0, superseded: 0 })).toEqual([])
  })
})

describe('errors by class', () => {
  it('lists the ten official classes and structure in order, zeros included', () => {
    const classes = allClasses({ '06': 12 })
    expect(classes).toHaveLength(11)
    expect(classes[0]).toEqual({ class: '00', title: '结构检查', rows: 0 })
    expect(classes[6]).toEqual({ class: '06', title: '统一社会信用代码规则', rows: 12 })
  })

  it('prefers the titles that the server sends', () => {
    expect(allClasses([{ class: '06', title: '信用代码', rows: 3 }])[6]?.title).toBe('信用代码')
  })
})

it('a batch is live until it is settled, has failed or was stopped', () => {
  expect(
    (['received', 'running', 'settled', 'failed', 'cancelled'] as const).map((state) => isLive({ state })),
  ).toEqual([true, true, false, false, false])
})

describe('a batch without one row', () => {
  const none = { front: 0, pending: 0, correct: 0, error: 0, duplicate: 0, superseded: 0 }

  it('is no success: the file was refused as a whole, or nothing came', () => {
    const message = '第一行没有一个列名属于“行政检查”。请使用模板'
    expect(unread({ state: 'settled', counts: none, message })).toBe('refused')
    expect(unread({ state: 'settled', counts: none, message: null })).toBe('empty')
  })

  it('is not meant while it runs, when it failed for another cause, or when rows came', () => {
    expect(unread({ state: 'running', counts: none, message: null })).toBeUndefined()
    expect(unread({ state: 'failed', counts: none, message: '磁盘已满' })).toBeUndefined()
    expect(unread({ state: 'settled', counts: batch, message: '有一列不认得' })).toBeUndefined()
  })
})
