import { describe, expect, it } from 'vitest'
import { countCells, headerOf, land, parsePaste, toJsonLines } from './grid'

const COLUMNS = [
  { name: 'a_code', title: '编码' },
  { name: 'a_name', title: '名称' },
  { name: 'a_date', title: '日期' },
]

describe('a paste from Excel', () => {
  it('keeps quoted tabs and line ends inside their cell', () => {
    expect(parsePaste('1\t"甲\n乙"\t"说""好"""\r\n2\t\t\r\n')).toEqual([
      ['1', '甲\n乙', '说"好"'],
      ['2', '', ''],
    ])
  })
  it('is laid by its header when it has one, in any order', () => {
    expect(headerOf(['名称', '编码 *'], COLUMNS)).toEqual([1, 0])
    const people = [
      { name: 'p', title: '法定代表人/负责人' },
      { name: 'f', title: '罚款金额（元）' },
    ]
    expect(headerOf(['罚款金额', '法定代表人'], people)).toEqual([1, 0])
    const { rows, usedHeader, lost } = land(
      [],
      parsePaste('名称\t编码\t别的\n甲\t001\tx'),
      { row: 0, column: 0 },
      COLUMNS,
    )
    expect(usedHeader).toBe(true)
    expect(rows).toEqual([['001', '甲', '']])
    expect(lost).toBe(1)
  })
  it('lands where the cursor stands, grows downward and never sideways', () => {
    const grid = [['x', '', '']]
    const { rows, lost, from, to } = land(
      grid,
      [['甲', '2026-01-01', '多'], ['乙']],
      { row: 0, column: 1 },
      COLUMNS,
    )
    expect(rows).toEqual([
      ['x', '甲', '2026-01-01'],
      ['', '乙', ''],
    ])
    expect([from, to, lost]).toEqual([0, 1, 1])
    expect(grid).toEqual([['x', '', '']])
  })
  it('of fifty thousand cells is read at once', () => {
    const text = Array.from({ length: 5000 }, () =>
      Array.from({ length: 10 }, (_, at) => `值${at}`).join('\t'),
    ).join('\n')
    const begun = performance.now()
    expect(countCells(parsePaste(text))).toBe(50_000)
    expect(performance.now() - begun).toBeLessThan(1000)
  })
  it('goes out as lines without empty rows and cells', () => {
    expect(
      toJsonLines(
        [
          ['1', '', ''],
          ['', '', ''],
          ['2', '乙', ''],
        ],
        COLUMNS,
      ),
    ).toBe('{"a_code":"1"}\n{"a_code":"2","a_name":"乙"}')
  })
})
