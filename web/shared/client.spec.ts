import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, onSessionEnd, onStepUp, Problem, setCsrfToken, url } from './client'

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

  it('never puts what somebody looks for into the address', async () => {
    answer(200, {})
    await api.get('/registry/parties', { q: '370402199001011234 李明', area: '370400' })
    expect(lastCall()[0]).toBe('/api/v1/registry/parties?area=370400')
    expect(lastCall()[1].headers).toMatchObject({
      'Mingjian-Search': '370402199001011234%20%E6%9D%8E%E6%98%8E',
    })
  })

  it('sends what is looked for although the end of a rare character was cut off', async () => {
    answer(200, {})
    await api.get('/registry/parties', { q: '王𠮷𠮷'.slice(0, 4) })
    expect(lastCall()[1].headers).toMatchObject({ 'Mingjian-Search': '%E7%8E%8B%F0%A0%AE%B7' })
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

describe('an act that wants the password once more', () => {
  const again = { title: '请再次验证身份', code: 'access.step_up_required' }
  afterEach(() => onStepUp(() => Promise.resolve(false)))

  function answers(...all: [number, unknown][]): void {
    const next = all.map(([status, body]) => new Response(JSON.stringify(body), { status }))
    vi.stubGlobal(
      'fetch',
      vi.fn(() => Promise.resolve(next.shift())),
    )
  }

  it('is sent again under the same key and with the token of after', async () => {
    answers([403, again], [201, { id: 'm1' }])
    onStepUp(() => {
      setCsrfToken('token-of-after')
      return Promise.resolve(true)
    })
    const made = await api.post('/registry/merges', { keep: 'a' }, { idempotencyKey: 'k1' })
    expect(made).toEqual({ id: 'm1' })
    const [, sent] = lastCall()
    expect(sent.headers).toMatchObject({ 'Idempotency-Key': 'k1', 'X-CSRF-Token': 'token-of-after' })
    expect(sent.body).toBe('{"keep":"a"}')
  })

  it('takes the file away after it, asks once, and not at all when nobody proves anything', async () => {
    answers([403, again], [200, 'rows'])
    onStepUp(() => Promise.resolve(true))
    expect((await api.download('/registry/parties/export', {})).name).toBe('export')
    answers([403, again], [403, again])
    await expect(api.download('/registry/parties/export', {})).rejects.toMatchObject({ code: again.code })
    expect(fetch).toHaveBeenCalledTimes(2)
    answers([403, again])
    onStepUp(() => Promise.resolve(false))
    await expect(api.download('/registry/parties/export', {})).rejects.toMatchObject({ code: again.code })
    expect(fetch).toHaveBeenCalledTimes(1)
  })

  it('asks one person once for two acts at the same moment', async () => {
    answers([403, again], [403, again], [200, {}], [200, {}])
    const asked = vi.fn(() => Promise.resolve(true))
    onStepUp(asked)
    await Promise.all([api.post('/a', {}), api.post('/b', {})])
    expect(asked).toHaveBeenCalledTimes(1)
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
