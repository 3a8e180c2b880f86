import { describe, expect, it } from 'vitest'
import { explainLines, provenanceRule, provenanceText, resultTone, scoreText, statusTone } from './registry'

describe('where a value comes from', () => {
  it('names the source and the table', () => {
    expect(provenanceText({ source_name: '枣庄市市场监督管理局', table_title: '企业基本信息' })).toBe(
      '枣庄市市场监督管理局 · 企业基本信息',
    )
    expect(provenanceText({ cd_source: '370400SCJG' })).toBe('370400SCJG')
  })

  it('names the rule that chose the value', () => {
    expect(provenanceRule({ rule: 'source_priority', at: '2026-11-20' })).toBe('来源优先级 · 2026-11-20')
  })
})

describe('a score is explained', () => {
  it('in whatever shape the reasons come', () => {
    expect(explainLines('名称相同')).toEqual(['名称相同'])
    expect(explainLines([{ title: '名称', score: 0.96, detail: '去掉“有限公司”后相同' }])).toEqual([
      '名称　96　去掉“有限公司”后相同',
    ])
    expect(explainLines({ name: 0.9, address: '相同' })).toEqual(['名称　90', '地址　相同'])
    expect(explainLines(null)).toEqual([])
  })

  it('as a figure out of a hundred', () => {
    expect(scoreText(0.923)).toBe('92')
    expect(scoreText(92)).toBe('92')
    expect(scoreText(null)).toBe('—')
  })
})

it('colours never carry a state alone but agree with its word', () => {
  expect(['在营', '列入经营异常', '吊销未注销', '注销', null].map(statusTone)).toEqual([
    'ok',
    'warn',
    'bad',
    'muted',
    'muted',
  ])
  expect(['未发现问题', '不合格', '罚款', '其他'].map(resultTone)).toEqual(['ok', 'bad', 'bad', 'muted'])
})
