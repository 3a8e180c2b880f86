// The served API document as a person tries it out: operations by domain, an example body from a schema, the
// request that comes of what was filled in, and the same request as a curl line. Pure; sending is the page's.

export interface Schema {
  $ref?: string
  type?: string | string[]
  format?: string
  description?: string
  enum?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  oneOf?: Schema[]
  allOf?: Schema[]
  additionalProperties?: Schema | boolean
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  description?: string
  schema?: Schema
}

interface RawOperation {
  tags?: string[]
  summary?: string
  description?: string
  operationId?: string
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema?: Schema }> }
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>
  security?: Record<string, unknown>[]
  'x-action'?: string
}

export interface Document {
  info: { title: string; version: string; description?: string }
  tags?: { name: string; description?: string }[]
  paths: Record<string, Record<string, RawOperation>>
  components?: { schemas?: Record<string, Schema> }
}

export interface Operation {
  id: string
  method: string
  path: string
  summary: string
  description: string
  action: string
  isPublic: boolean
  parameters: Parameter[]
  /** Media type of the body, when there is one. */
  bodyType: string | undefined
  bodySchema: Schema | undefined
  answers: { status: string; description: string; type: string | undefined; schema: Schema | undefined }[]
}

export interface Group {
  name: string
  title: string
  operations: Operation[]
}

/** Operations by domain, in the order of the document. */
export function groupsOf(document: Document): Group[] {
  const groups = new Map<string, Group>()
  for (const tag of document.tags ?? []) {
    groups.set(tag.name, { name: tag.name, title: tag.description ?? tag.name, operations: [] })
  }
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, raw] of Object.entries(methods)) {
      const tag = raw.tags?.[0] ?? ''
      const group = groups.get(tag) ?? { name: tag, title: tag, operations: [] }
      groups.set(tag, group)
      group.operations.push(operationOf(method, path, raw))
    }
  }
  return [...groups.values()].filter((group) => group.operations.length > 0)
}

function operationOf(method: string, path: string, raw: RawOperation): Operation {
  const [bodyType, body] = Object.entries(raw.requestBody?.content ?? {})[0] ?? []
  return {
    id: raw.operationId ?? `${method} ${path}`,
    method: method.toUpperCase(),
    path,
    summary: raw.summary ?? '',
    description: raw.description ?? '',
    action: raw['x-action'] ?? '',
    isPublic: (raw.security ?? []).some((one) => Object.keys(one).length === 0),
    parameters: raw.parameters ?? [],
    bodyType,
    bodySchema: body?.schema,
    answers: Object.entries(raw.responses ?? {}).map(([status, answer]) => {
      const [type, content] = Object.entries(answer.content ?? {})[0] ?? []
      return { status, description: answer.description ?? '', type, schema: content?.schema }
    }),
  }
}

/** Which operations speak of these words: in path, summary or action. */
export function matching(groups: Group[], words: string): Group[] {
  const wanted = words.trim().toLowerCase().split(/\s+/).filter(Boolean)
  const speaks = (one: Operation) => {
    const text = `${one.method} ${one.path} ${one.summary} ${one.action}`.toLowerCase()
    return wanted.every((word) => text.includes(word))
  }
  return groups
    .map((group) => ({ ...group, operations: group.operations.filter(speaks) }))
    .filter((group) => group.operations.length > 0)
}

export function resolved(document: Document, schema: Schema | undefined): Schema {
  let at = schema ?? {}
  for (let depth = 0; at.$ref && depth < 10; depth += 1) {
    at = document.components?.schemas?.[at.$ref.replace('#/components/schemas/', '')] ?? {}
  }
  return at
}

export function typeText(document: Document, schema: Schema | undefined): string {
  const at = resolved(document, schema)
  const types = [at.type ?? []].flat().filter((one) => one !== 'null')
  if (at.enum) return at.enum.map(String).join(' | ')
  if (types[0] === 'array') return `${typeText(document, at.items)}[]`
  return types.join(' | ') || 'object'
}

/** A body to begin with: what is required, with values of the right kind. */
export function example(document: Document, schema: Schema | undefined, depth = 0): unknown {
  const at = resolved(document, schema)
  const chosen = at.oneOf?.find((one) => resolved(document, one).type !== 'null')
  if (chosen) return example(document, chosen, depth + 1)
  if (at.allOf) return Object.assign({}, ...at.allOf.map((one) => example(document, one, depth + 1)))
  if (at.enum) return at.enum[0]
  const [type] = [at.type ?? (at.properties ? 'object' : [])].flat().filter((one) => one !== 'null')
  switch (type) {
    case 'object': {
      if (depth > 6) return {}
      const required = new Set(at.required ?? [])
      const named = Object.entries(at.properties ?? {}).filter(([name]) => required.has(name))
      return Object.fromEntries(named.map(([name, one]) => [name, example(document, one, depth + 1)]))
    }
    case 'array':
      return depth > 6 ? [] : [example(document, at.items, depth + 1)]
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'string':
      return ''
    default:
      return {}
  }
}

export interface Filled {
  values: Record<string, string>
  body: string
}

export interface Prepared {
  target: string
  headers: Record<string, string>
}

const ENCODED = ['Mingjian-Search', 'Mingjian-File-Name']

/** The address and headers that come of what was filled in; empty values are left out. */
export function prepare(operation: Operation, values: Record<string, string>): Prepared {
  let target = operation.path
  const search = new URLSearchParams()
  const headers: Record<string, string> = { Accept: 'application/json' }
  for (const parameter of operation.parameters) {
    const value = values[`${parameter.in}:${parameter.name}`] ?? ''
    if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, encodeURIComponent(value))
    else if (value === '') continue
    else if (parameter.in === 'query') search.set(parameter.name, value)
    // those that may hold any character
    else headers[parameter.name] = ENCODED.includes(parameter.name) ? encodeURIComponent(value) : value
  }
  if (operation.bodyType) headers['Content-Type'] = operation.bodyType
  const tail = search.toString()
  return { target: target + (tail ? `?${tail}` : ''), headers }
}

/** What must be filled in and is not. */
export function missing(operation: Operation, values: Record<string, string>): string[] {
  return operation.parameters
    .filter((one) => one.required && !(values[`${one.in}:${one.name}`] ?? ''))
    .map((one) => one.name)
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** The same request for a terminal; the token stays a variable. */
export function curl(
  origin: string,
  operation: Operation,
  prepared: Prepared,
  body: string,
  hasToken: boolean,
): string {
  const lines = [`curl -sS -X ${operation.method} ${quoted(origin + prepared.target)}`]
  if (hasToken) lines.push('-H "Authorization: Bearer $TOKEN"')
  for (const [name, value] of Object.entries(prepared.headers))
    lines.push(`-H ${quoted(`${name}: ${value}`)}`)
  if (operation.bodyType === 'application/json') lines.push(`--data ${quoted(body)}`)
  else if (operation.bodyType) lines.push("--data-binary '@file'")
  return lines.join(' \\\n  ')
}
