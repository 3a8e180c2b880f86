// The one way to the server: a thin typed wrapper over fetch. It adds the CSRF token, the idempotency key and
// the time limit, and turns every refusal into a `Problem` that a page can show as it is. It knows no page
// and no store: what an ended session means is told to it by `onSessionEnd`.
import type { ProblemBody } from './api.types'

export const BASE = '/api/v1'

type Scalar = string | number | boolean | null | undefined
export type Query = Record<string, Scalar>

export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly traceId: string | undefined
  readonly details: string[]
  /** The sentence for each field that is wrong. */
  readonly fields: Record<string, string>
  /** The newer copy beside a stale version (409), as the caller may see it. */
  readonly current: unknown

  constructor(status: number, body: ProblemBody) {
    // The title is what the clerk reads first, the detail says what to do next.
    super(
      [body.title, body.detail]
        .filter((one) => one)
        .join('。')
        .replace(/([。！？])。/g, '$1'),
    )
    this.name = 'Problem'
    this.status = status
    this.code = body.code ?? (status === 0 ? 'client.unreachable' : `http.${status}`)
    this.traceId = body.trace_id
    this.details = (body.errors ?? []).map((one) => one.message)
    this.fields = Object.fromEntries((body.errors ?? []).map((one) => [one.field, one.message]))
    this.current = body.current
  }
}

let csrfToken = ''
let endSession: (problem: Problem) => void = () => {}

export function setCsrfToken(token: string): void {
  csrfToken = token
}

/** What a request with the session's cookie carries besides, for whoever does not go through `api`. */
export function csrfHeaders(): Record<string, string> {
  return csrfToken ? { 'X-CSRF-Token': csrfToken } : {}
}

/** Called when the server no longer knows the session; not for a wrong password. */
export function onSessionEnd(handler: (problem: Problem) => void): void {
  endSession = handler
}

type StepUp = () => Promise<boolean>
let stepUp: StepUp = () => Promise.resolve(false)
let proving: Promise<boolean> | undefined

/** Called when an act asks for the password once more; true = proven, the act is tried again. */
export function onStepUp(handler: StepUp): void {
  stepUp = handler
}

/** Whether a refused act may be tried again; of several at once, each waits for the one answer. */
async function provenNow(problem: Problem): Promise<boolean> {
  if (problem.code !== 'access.step_up_required') return false
  proving ??= stepUp().finally(() => {
    proving = undefined
  })
  return proving
}

/** What people type or call their files travels in a header of its own: addresses are kept by browsers and logs. */
const HIDDEN: Record<string, string> = { q: 'Mingjian-Search', file_name: 'Mingjian-File-Name' }

function hidden(query: Query | undefined): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [key, header] of Object.entries(HIDDEN)) {
    // cutting a long text may leave half a character, which cannot be encoded
    const text = String(query?.[key] ?? '').replace(/\p{Cs}/gu, '')
    if (text) headers[header] = encodeURIComponent(text)
  }
  return headers
}

export function url(path: string, query?: Query): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) {
    if (!(key in HIDDEN) && value !== undefined && value !== null && value !== '')
      search.set(key, String(value))
  }
  const tail = search.toString()
  return BASE + path + (tail ? `?${tail}` : '')
}

interface Options {
  query?: Query
  body?: unknown
  signal?: AbortSignal
  idempotencyKey?: string
  /** A 401 here is an answer to this request (login), not the end of a session. */
  isLogin?: boolean
  /** Set on the second try, so that a server that is never satisfied is asked once only. */
  isProven?: boolean
}

let clockOffsetMs = 0

/** The server's time: a browser whose clock is wrong by a year must not colour every deadline red. */
export function now(): number {
  return Date.now() + clockOffsetMs
}

const CLOCK_SLACK_MS = 120_000

function learnClock(answer: Response): void {
  const at = Date.parse(answer.headers.get('Date') ?? '')
  if (!Number.isFinite(at)) return
  const offset = at - Date.now()
  clockOffsetMs = Math.abs(offset) > CLOCK_SLACK_MS ? offset : 0
}

/** Name and rows of a file that came as an answer. */
export interface FileAnswer {
  blob: Blob
  name: string
  rows: number
}

/** Asks for a file by POST (who takes a list away is written down) and gives it to be saved. */
async function download(
  path: string,
  body: unknown,
  signal?: AbortSignal,
  isProven = false,
): Promise<FileAnswer> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' }
  if (csrfToken) headers['X-CSRF-Token'] = csrfToken
  let response: Response
  try {
    response = await fetch(url(path), {
      method: 'POST',
      headers,
      credentials: 'same-origin',
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    })
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new Problem(0, {})
  }
  if (!response.ok) {
    const problem = parseProblem(response.status, await response.text())
    if (response.status === 401) endSession(problem)
    if (!isProven && (await provenNow(problem))) return download(path, body, signal, true)
    throw problem
  }
  const name = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get('Content-Disposition') ?? '')?.[1]
  return {
    blob: await response.blob(),
    name: name ? decodeURIComponent(name) : 'export',
    rows: Number(response.headers.get('X-Export-Rows') ?? 0),
  }
}

function parseProblem(status: number, text: string): Problem {
  try {
    return new Problem(status, JSON.parse(text) as ProblemBody)
  } catch {
    return new Problem(status, {})
  }
}

async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (options.body !== undefined) headers['Content-Type'] = 'application/json'
  if (method !== 'GET' && csrfToken) headers['X-CSRF-Token'] = csrfToken
  if (options.idempotencyKey) headers['Idempotency-Key'] = options.idempotencyKey
  Object.assign(headers, hidden(options.query))
  let response: Response
  try {
    response = await fetch(url(path, options.query), {
      method,
      headers,
      credentials: 'same-origin',
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    })
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new Problem(0, {})
  }
  learnClock(response)
  if (!response.ok) {
    const problem = parseProblem(response.status, await response.text())
    if (response.status === 401 && !options.isLogin) endSession(problem)
    if (!options.isProven && (await provenNow(problem))) {
      return call<T>(method, path, { ...options, isProven: true })
    }
    throw problem
  }
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) =>
    call<T>('GET', path, { ...(query ? { query } : {}), ...(signal ? { signal } : {}) }),
  post: <T>(path: string, body: unknown, options: Omit<Options, 'body'> = {}) =>
    call<T>('POST', path, { ...options, body }),
  download: (path: string, body: unknown, signal?: AbortSignal) => download(path, body, signal),
  patch: <T>(path: string, body: unknown) => call<T>('PATCH', path, { body }),
  delete: (path: string) => call<void>('DELETE', path),
}

/** A key for one act of a person; kept by the caller so that a retry carries the same one. */
export function newIdempotencyKey(): string {
  if (typeof crypto.randomUUID === 'function') return crypto.randomUUID()
  const random = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export interface UploadOptions {
  query: Query
  idempotencyKey: string
  onProgress: (sent: number, total: number) => void
  signal?: AbortSignal
}

/** Sends a file as the body. XMLHttpRequest, because fetch cannot tell how much has been sent. */
export function upload<T>(path: string, file: Blob, options: UploadOptions, isProven = false): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', url(path, options.query))
    request.setRequestHeader('Accept', 'application/json')
    request.setRequestHeader('Content-Type', 'application/octet-stream')
    request.setRequestHeader('Idempotency-Key', options.idempotencyKey)
    for (const [name, text] of Object.entries(hidden(options.query))) request.setRequestHeader(name, text)
    if (csrfToken) request.setRequestHeader('X-CSRF-Token', csrfToken)
    request.upload.onprogress = (event) => options.onProgress(event.loaded, event.total)
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText) as T)
        return
      }
      const problem = parseProblem(request.status, request.responseText)
      if (request.status === 401) endSession(problem)
      if (isProven) {
        reject(problem)
        return
      }
      provenNow(problem)
        .then((isNow) => {
          if (!isNow) throw problem
          return upload<T>(path, file, options, true)
        })
        .then(resolve, reject)
    }
    request.onerror = () => reject(new Problem(0, {}))
    request.onabort = () => reject(new DOMException('aborted', 'AbortError'))
    options.signal?.addEventListener('abort', () => request.abort())
    request.send(file)
  })
}
