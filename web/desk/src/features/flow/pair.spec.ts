import type { PartyDossier, PartyField } from '@shared/api.types'
import { describe, expect, it } from 'vitest'
import { differing, pairIds, pairRows } from './pair'

function field(name: string, title: string, value: string): PartyField {
  return { name, title, value, masked: false, others: [] }
}

function party(changed: Partial<PartyDossier>): PartyDossier {
  return {
    version: 1,
    merged_from: [],
    mentions: [],
    counts: {},
    credit: [],
    id: 'p1',
    register_no: 'R1',
    kind: 'enterprise',
    kind_title: '企业',
    name: '滕州市善国餐饮服务有限公司',
    name_masked: false,
    fields: [],
    ...changed,
  }
}

it('lays two parties that may be one side by side', () => {
  const rows = pairRows(
    party({ fields: [field('address', '地址', '善国南路 1 号')] }),
    party({
      name: '滕州善国餐饮店',
      uscc: '91370481MA3D2E3F51',
      fields: [field('address', '地址', '善国南路 1 号')],
    }),
  )
  expect(rows.map((row) => [row.key, row.verdict])).toEqual([
    ['name', 'different'],
    ['uscc', 'one_side'],
    ['kind', 'equal'],
    ['address', 'equal'],
  ])
})

it('shows a value once though it is both in the head and among the fields', () => {
  const both = party({
    uscc: '91',
    fields: [field('administrative_cp_ui_code', '统一社会信用代码', '91')],
  })
  expect(pairRows(both, both).filter((row) => row.title === '统一社会信用代码')).toHaveLength(1)
})

it('says that there is no pair rather than guess', () => {
  expect(pairIds({ note: '请核实' })).toBeUndefined()
  expect(pairIds(null)).toBeUndefined()
  expect(pairIds({ keep_id: 'a', merge_id: 'b', score: 85 })).toMatchObject({
    keepId: 'a',
    mergeId: 'b',
    score: 85,
  })
})

describe('what differs inside a value', () => {
  it('is the middle between what both begin and end with', () => {
    expect(differing('枣庄市薛城区佳晟', '薛城区佳晟')).toEqual(['', '枣庄市', '薛城区佳晟'])
    expect(differing('佳晟货运部', '佳晟服务部')).toEqual(['佳晟', '货运', '部'])
    expect(differing('同', '同')).toEqual(['同', '', ''])
    expect(differing('aa', 'a')).toEqual(['a', 'a', ''])
  })
})
