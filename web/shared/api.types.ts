// Names for the shapes that cross HTTP. The shapes themselves are made from the server's own document
// (`npm run gen:api` writes api.d.ts); here is only what JSON Schema cannot say: which words a state may be.
import type { components } from './api'

type Shapes = components['schemas']

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

/** application/problem+json; a proxy's own error page has none of it. */
export type ProblemBody = Partial<Shapes['Problem']>

export type Site = Shapes['SiteInfo']

// -- sessions ---------------------------------------------------------------------------------------------

/** `second_factor`: a code is needed; `enrol`: an authenticator has to be set up first. */
export type SessionState = 'active' | 'second_factor' | 'enrol'
export type SessionCreated = Omit<Shapes['SessionOpened'], 'state'> & { state: SessionState }
export type CurrentSession = Shapes['CurrentSession']

// -- data hub ---------------------------------------------------------------------------------------------

/** front = the sum of the rest. */
export type LayerCounts = Shapes['CountsView']
export type ClassCount = Shapes['ClassSummary']
export type DatahubSummary = Shapes['Summary']
export type StandardTable = Shapes['TableItem']
export type StandardColumn = Shapes['ColumnView']
export type StandardRule = Shapes['RuleView']
export type StandardTableSpec = Shapes['TableSpecView']
export type Source = Shapes['SourceView']

export type BatchState = 'received' | 'running' | 'settled' | 'failed' | 'cancelled'
export type Batch = Omit<Shapes['BatchView'], 'state'> & { state: BatchState }
export type RuleCount = Shapes['RuleCount']
export type RowIssue = Shapes['IssueView']
export type ErrorRow = Shapes['ErrorView']
export type BatchAccepted = Shapes['Accepted']

// -- registry ---------------------------------------------------------------------------------------------

export type PartyHit = Shapes['PartyHit']
export type Provenance = Shapes['Provenance']
export type PartyField = Shapes['PartyField']
export type PartyMention = Shapes['PartyMention']
export type PartyCredit = Shapes['PartyCredit']
export type PartyDossier = Shapes['PartyDossier']
export type TimelineEntry = Shapes['TimelineEntry']
export type Area = Shapes['AreaView']
export type Merge = Shapes['MergeView']

// -- work items -------------------------------------------------------------------------------------------

/** The payload belongs to the kind of item; pages read it with care. */
export type WorkItem = Omit<Shapes['WorkItemView'], 'payload'> & { payload: Record<string, unknown> }
export type WorkItemStep = Shapes['WorkStepView']

// -- evaluation -------------------------------------------------------------------------------------------

export type EvaluationOverview = Shapes['EvaluationOverview']
export type EvaluationFigure = Shapes['EvaluationFigure']
export type EvaluationStanding = Shapes['EvaluationStanding']
export type EvaluationNotice = Shapes['EvaluationNotice']
export type EvaluationRows = Shapes['EvaluationRows']
export type EvaluationRow = Shapes['EvaluationRow']
export type EvaluationRecord = Shapes['EvaluationRecord']

// -- the clerk's workbench ----------------------------------------------------------------------------------

export type RepairGroup = Shapes['GroupView']
export type RepairGroups = Shapes['GroupList']
export type RepairFix = Shapes['Fix']
export type RepairPreview = Shapes['RepairPreview']
export type Repair = Shapes['RepairView']
export type RowCheck = Shapes['RowCheck']
export type ErrorCells = Shapes['ErrorCells']
export type ErrorCell = Shapes['CellView']
export type OpenErrors = Shapes['OpenErrorsView']
export type CheckOutcome = Shapes['CheckOutcome']
export type BulkOutcome = Shapes['BulkOutcome']
export type Colleague = Shapes['ColleagueView']

// -- supervision log --------------------------------------------------------------------------------------

export type LogStatus = Shapes['LogStatus']
export type LogVolume = Shapes['LogVolume']
export type LogEntryRow = Shapes['LogEntryRow']
export type LogEntry = Shapes['LogEntry']
export type LogProof = Shapes['LogProof']
export type LogStanding = Shapes['LogStanding']
export type LogWitness = Shapes['LogWitness']
export type LogWitnesses = Shapes['LogWitnesses']
export type RecordActs = Shapes['RecordActs']
