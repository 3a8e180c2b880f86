// The shapes that cross HTTP, written by hand after docs/contracts.md until the server's own document
// replaces them (`npm run gen:api` writes api.d.ts). Names follow the JSON. A field that older servers may
// leave out is optional here, so that a page shows "—" instead of failing.
import type { Instant } from './fmt'

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

/** application/problem+json */
export interface ProblemBody {
  type?: string
  title?: string
  status?: number
  detail?: string
  code?: string
  trace_id?: string
  errors?: { field: string; message: string }[]
}

// -- sessions ---------------------------------------------------------------------------------------------

export type SessionState = 'active' | 'second_factor' | 'enrol'

export interface SessionCreated {
  state: SessionState
  token: string
  csrf_token: string
}

export interface SessionRole {
  role: string
  role_name: string
  area?: string | null
  area_name?: string | null
  agency?: string | null
  agency_name?: string | null
}

export interface CurrentSession {
  account_id: string
  login: string
  name: string
  roles: SessionRole[]
  csrf_token: string
  expires_at: Instant
}

// -- data hub ---------------------------------------------------------------------------------------------

/** front = the sum of the rest. */
export interface LayerCounts {
  front: number
  pending: number
  correct: number
  error: number
  duplicate: number
  superseded: number
}

export interface TableSummary {
  table: string
  title: string
  counts: LayerCounts
  batches: number
  last_received_at?: Instant | null
}

export interface ClassCount {
  class: string
  title: string
  rows: number
}

export interface DatahubSummary {
  totals: LayerCounts
  by_table: TableSummary[]
  by_class: ClassCount[]
}

export interface StandardTable {
  table: string
  title: string
  kind: string
  columns: number
  required: number
  rules: number
}

export interface StandardColumn {
  name: string
  title: string
  type: string
  max_len?: number | null
  required: boolean
  type_title?: string | null
  list?: string | null
  note?: string | null
  personal?: boolean | string | null
}

export interface StandardRule {
  rule: string
  class: string
  class_title?: string | null
  severity: string
  text: string
  remedy?: string | null
  source?: string | null
}

export interface StandardTableSpec {
  table: string
  title: string
  kind?: string
  kind_title?: string
  about?: string | null
  standard_version?: string
  columns: StandardColumn[]
  rules: StandardRule[]
  source?: string | null
}

export interface Source {
  cd_source: string
  name: string
  agency?: string | null
  agency_name?: string | null
  kind?: string | null
  /** file | push | upload | manual */
  channels: string[]
  /** Empty: all. */
  tables: string[]
  /** active | stopped */
  status?: string
}

export type BatchState = 'received' | 'running' | 'settled' | 'failed'

export interface Batch {
  id: string
  table: string
  table_title: string
  cd_source: string
  source_name?: string | null
  cd_batch: string
  channel?: string | null
  state: BatchState
  file_name?: string | null
  received_at?: Instant | null
  settled_at?: Instant | null
  counts: LayerCounts
  by_class?: Record<string, number> | null
  progress?: { percent: number; rows_per_second: number } | null
  message?: string | null
  href?: string
  by_rule?: RuleCount[] | null
}

export interface RuleCount {
  rule: string
  title?: string | null
  rows: number
}

export interface RowIssue {
  column?: string | null
  column_title?: string | null
  value?: string | null
  class: string
  class_title?: string | null
  rule: string
  severity?: string | null
  reason: string
  remedy?: string | null
  source?: string | null
}

export interface ErrorRow {
  row: number
  cd_id?: string | null
  state: 'open' | 'mended' | string
  issues: RowIssue[]
}

export interface BatchAccepted {
  batch_id: string
  state: BatchState
  rows_received?: number | null
  href: string
}

// -- registry ---------------------------------------------------------------------------------------------

export interface PartyHit {
  id: string
  register_no: string
  kind: string
  kind_title: string
  name: string
  uscc?: string | null
  regist_no?: string | null
  area_number?: string | null
  area_name?: string | null
  status?: string | null
  address?: string | null
  act_count?: number | null
  last_act_date?: string | null
}

export interface Provenance {
  table?: string | null
  table_title?: string | null
  cd_source?: string | null
  source_name?: string | null
  batch_id?: string | null
  row?: number | null
  at?: Instant | null
  rule?: string | null
}

export interface PartyField {
  name: string
  title: string
  value?: string | null
  masked?: boolean
  provenance?: Provenance | null
  others?: { value?: string | null; provenance?: Provenance | null }[] | null
}

export interface PartyMention {
  id: string
  name: string
  code?: string | null
  link_rule?: string | null
  score?: number | null
  explain?: Explain
}

/** A score explained: a sentence, or its parts. */
export type Explain =
  | string
  | string[]
  | { title?: string; part?: string; score?: number; weight?: number; detail?: string }[]
  | Record<string, unknown>
  | null
  | undefined

export interface PartyCredit {
  title?: string | null
  class?: string | null
  value?: string | null
  from?: string | null
  until?: string | null
  source_name?: string | null
  [key: string]: unknown
}

export interface PartyDossier {
  id: string
  register_no: string
  kind: string
  kind_title: string
  name: string
  uscc?: string | null
  area_number?: string | null
  area_name?: string | null
  status?: string | null
  fields: PartyField[]
  mentions?: PartyMention[] | null
  counts?: Partial<Record<string, number>> | null
  credit?: PartyCredit[] | null
}

export interface TimelineEntry {
  table: string
  table_title: string
  key: string
  title?: string | null
  event_date?: string | null
  item_code?: string | null
  item_name?: string | null
  agency_name?: string | null
  result_title?: string | null
  amount_fen?: number | null
  cd_source?: string | null
  source_name?: string | null
  batch_id?: string | null
  row?: number | null
  summary?: { title: string; value?: string | null; masked?: boolean }[] | null
}

// -- work items -------------------------------------------------------------------------------------------

export interface WorkItem {
  id: string
  version: number
  kind: string
  kind_title: string
  title: string
  state: string
  state_title: string
  object_table?: string | null
  object_id?: string | null
  agency?: string | null
  agency_name?: string | null
  /** Claimed by the person at the desk. */
  mine?: boolean
  deadline?: Instant | null
  created_at?: Instant | null
  payload?: Record<string, unknown> | null
  timeline?: WorkItemStep[] | null
}

export interface WorkItemStep {
  at: Instant
  verb: string
  verb_title: string
  state_title: string
  actor: string
  note?: string | null
}
