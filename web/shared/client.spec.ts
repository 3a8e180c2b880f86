import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, onSessionEnd, Problem, setCsrfToken, url } from './client'

function answer(status: number, body: unknown): void {
  const response = new Response(status === 204 ? null : JSON.stringify(body), { status })
  vi.stubGlobal('fetch', vi.fn().mockResolvedValue(response))
}

function lastCall(): [string, RequestInit] {
  const calls = vi.mocked(fetch).mock.calls
  return calls[calls.length - 1] as [string, RequestInit]
}

beforeEach(() => setCsrfToken('token-of-this-session'))
afterEach(() => {
  vi.unstubAllGlobals()
  onSessionEnd(() => {})
})

describe('asking the server', () => {
  it('leaves empty filters out of the address', () => {
    expect(url('/datahub/batches', { table: 'check_action', state: '', cursor: undefined, limit: 20 })).toBe(
      '/api/v1/datahub/batches?table=check_action&limit=20',
    )
  })

  it('sends the CSRF token with every change and never with a look', async () => {
    answer(200, {})
    await api.get('/sessions/current')
    expect(lastCall()[1].headers).not.toHaveProperty('X-CSRF-Token')
    answer(200, {})
    await api.post('/registry/merges', { keep: 'a' }, { idempotencyKey: 'k1' })
    expect(lastCall()[1].headers).toMatchObject({
      'X-CSRF-Token': 'token-of-this-session',
      'Idempotency-Key': 'k1',
    })
  })

  it('accepts an answer without a body', async () => {
    answer(204, null)
    await expect(api.delete('/sessions/current')).resolves.toBeUndefined()
  })
})

describe('a refusal', () => {
  it('keeps the sentence, the code and the trace number for the page', async () => {
    answer(409, {
      title: '该批次已经收到过',
      detail: '请换一个批次号。',
      code: 'datahub.batch_conflict',
      trace_id: 't-1',
    })
    const problem = await api.post('/datahub/batches', {}).catch((cause: unknown) => cause)
    expect(problem).toBeInstanceOf(Problem)
    expect(problem).toMatchObject({
      message: '该批次已经收到过。请换一个批次号。',
      status: 409,
      code: 'datahub.batch_conflict',
      traceId: 't-1',
    })
  })

  it('still has a code when a proxy answers with a page', async () => {
    vi.stubGlobal('fetch', vi.fn().mockResolvedValue(new Response('<html>', { status: 502 })))
    await expect(api.get('/x')).rejects.toMatchObject({ status: 502, code: 'http.502', message: '' })
  })

  it('tells a cut line from an answer', async () => {
    vi.stubGlobal('fetch', vi.fn().mockRejectedValue(new TypeError('failed')))
    await expect(api.get('/x')).rejects.toMatchObject({ status: 0, code: 'client.unreachable' })
  })

  it('ends the session on 401, except when the clerk is just logging in', async () => {
    const ended = vi.fn()
    onSessionEnd(ended)
    answer(401, { code: 'access.bad_credentials' })
    await api.post('/sessions', {}, { isLogin: true }).catch(() => {})
    expect(ended).not.toHaveBeenCalled()
    answer(401, { code: 'access.no_session' })
    await api.get('/datahub/summary').catch(() => {})
    expect(ended).toHaveBeenCalledOnce()
  })
})
