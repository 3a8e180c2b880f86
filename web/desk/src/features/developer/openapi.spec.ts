import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { curl, type Document, example, groupsOf, matching, missing, type Operation, prepare } from './openapi'

const document = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../../../../openapi.json'), 'utf8'),
) as Document
const all = groupsOf(document).flatMap((group) => group.operations)
const find = (method: string, path: string) =>
  all.find((one) => one.method === method && one.path === path) as Operation

describe('the served document', () => {
  it('is shown whole, every operation in one group', () => {
    const written = Object.values(document.paths).flatMap((methods) => Object.keys(methods))
    expect(all.length).toBe(written.length)
    expect(new Set(all.map((one) => one.id)).size).toBe(all.length)
  })

  it('gives every JSON body an example that has what is required', () => {
    for (const one of all.filter((one) => one.bodyType === 'application/json')) {
      expect(example(document, one.bodySchema), one.id).toBeTypeOf('object')
    }
    const push = example(document, find('POST', '/api/v1/datahub/batches').bodySchema)
    expect(push).toMatchObject({ table: '', cd_source: '', cd_batch: '' })
  })

  it('is searched by path, words and action', () => {
    const hits = matching(groupsOf(document), 'post datahub/batches 推送').flatMap(
      (group) => group.operations,
    )
    expect(hits.map((one) => one.path)).toEqual(['/api/v1/datahub/batches'])
    expect(matching(groupsOf(document), 'no such words')).toEqual([])
  })
})

describe('a request', () => {
  const errors = find('GET', '/api/v1/datahub/batches/{id}/errors')

  it('has its path filled in and empty values left out', () => {
    expect(missing(errors, {})).toEqual(['id'])
    const prepared = prepare(errors, { 'path:id': 'a/b', 'query:limit': '5', 'query:cursor': '' })
    expect(prepared.target).toBe('/api/v1/datahub/batches/a%2Fb/errors?limit=5')
  })

  it('is a curl line that a quote cannot break', () => {
    const push = find('POST', '/api/v1/datahub/batches')
    const prepared = prepare(push, { 'header:Idempotency-Key': 'k' })
    const line = curl('http://localhost:8600', push, prepared, '{"a":"it\'s"}', true)
    expect(line).toContain('-H "Authorization: Bearer $TOKEN"')
    expect(line).toContain("-H 'Idempotency-Key: k'")
    expect(line).toContain(`--data '{"a":"it'\\''s"}'`)
  })
})
