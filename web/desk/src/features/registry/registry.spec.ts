import type { PartyField } from '@shared/api.types'
import { describe, expect, it } from 'vitest'
import {
  actCounts,
  explainLines,
  foldNamed,
  provenanceRule,
  provenanceText,
  resultTone,
  statusTone,
} from './registry'

describe('where a value comes from', () => {
  it('names the source and the table', () => {
    expect(
      provenanceText({
        cd_source: '370400_31',
        source_name: '枣庄市市场监督管理局',
        table: 'object_enterprise',
        table_title: '企业基本信息',
      }),
    ).toBe('枣庄市市场监督管理局 · 企业基本信息')
    expect(provenanceText({ cd_source: '370400SCJG', table: 't', table_title: '企业' })).toBe(
      '370400SCJG · 企业',
    )
  })

  it('names the rule that chose the value', () => {
    expect(provenanceRule({ rule: 'source_priority', at: '2026-11-20' })).toBe('来源优先级 · 2026-11-20')
  })
})

it('gives the reasons of a score one by one', () => {
  expect(explainLines('名称一致；地址不同')).toEqual(['名称一致', '地址不同'])
  expect(explainLines('')).toEqual([])
})

it('reads a code and its wording in one line, with the wording’s source', () => {
  const field = (title: string, value: string | null): PartyField => ({
    name: title,
    title,
    value,
    masked: false,
    others: [],
  })
  const shown = foldNamed([
    field('登记状态', '1'),
    field('登记状态（中文名称）', '存续'),
    field('住所', '善国南路'),
    field('企业类型（中文名称）', '有限责任公司'),
  ])
  expect(shown.map((one) => [one.title, one.value])).toEqual([
    ['登记状态', '存续（1）'],
    ['住所', '善国南路'],
    ['企业类型（中文名称）', '有限责任公司'],
  ])
})

it('counts behaviours in the order clerks name them', () => {
  expect(actCounts({ other_action: 1, punish_action: 2, check_action: 3 }).map((one) => one.title)).toEqual([
    '行政检查',
    '行政处罚',
    '其他监管行为',
  ])
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
