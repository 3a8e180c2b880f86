// How figures are written and compared, and into which classes a map falls. Pure.
import type { EvaluationFigure, EvaluationStanding } from '@shared/api.types'
import * as fmt from '@shared/fmt'
import { t } from '@shared/i18n'

export type Metric = 'correct' | 'coverage' | 'timeliness' | 'collected' | 'acts'
export const METRICS: readonly Metric[] = ['correct', 'coverage', 'timeliness', 'collected', 'acts']

/** The figure whose rows stand behind a metric of an agency or an area. */
export const INDICATOR_OF: Record<Metric, string> = {
  correct: 'K04',
  coverage: 'K05',
  timeliness: 'K06',
  collected: 'C01',
  acts: 'B01',
}

/** The figures a leader looks at first, in this order. */
export const KEY_FIGURES = ['C01', 'K04', 'K05', 'K06', 'K16', 'K17'] as const

type Maybe<T> = T | null | undefined

/** A quotient of which 1 is the best: three figures, never 1 for what is not. */
export function index(value: Maybe<number>): string {
  if (value === null || value === undefined) return fmt.MISSING
  if (value > 0 && value < 0.001) return '<0.001'
  return (Math.floor(value * 1000 + 1e-9) / 1000).toFixed(3)
}

/** A share as it may be written: 99.97 % is not all. */
export function rate(value: Maybe<number>): string {
  if (value === null || value === undefined) return fmt.MISSING
  return fmt.shareOf(value, 1)
}

export function written(value: Maybe<number>, unit: string): string {
  if (value === null || value === undefined) return fmt.MISSING
  if (unit === 'percent') return rate(value)
  if (unit === 'index') return index(value)
  return fmt.count(value)
}

export function figureText(figure: Pick<EvaluationFigure, 'value' | 'unit'>): string {
  return written(figure.value, figure.unit)
}

/** The change against the period before, in words, and whether it is to the good. */
export function changeOf(figure: Pick<EvaluationFigure, 'value' | 'previous' | 'unit' | 'better'>): {
  text: string
  tone: 'ok' | 'bad' | 'muted'
} {
  const { value, previous, unit } = figure
  if (value === null || value === undefined) return { text: t('leader.no_data'), tone: 'muted' }
  if (previous === null || previous === undefined) return { text: t('leader.no_previous'), tone: 'muted' }
  const change = value - previous
  if (Math.abs(change) < 1e-9) return { text: t('leader.same'), tone: 'muted' }
  const sign = change > 0 ? '+' : ''
  const said =
    unit === 'percent'
      ? fmt.shareChange(change)
      : unit === 'index'
        ? `${sign}${change.toFixed(3).replace('-', '−')}`
        : `${sign}${fmt.count(change)}`
  const good = change > 0 === (figure.better === 'higher')
  return { text: t('leader.change', { value: said }), tone: good ? 'ok' : 'bad' }
}

export function targetOf(figure: Pick<EvaluationFigure, 'target' | 'unit' | 'better'>): string {
  if (figure.target === null || figure.target === undefined) return fmt.MISSING
  const sign = figure.better === 'higher' ? '≥' : '≤'
  const value = figure.unit === 'percent' ? fmt.share(figure.target, 0) : written(figure.target, figure.unit)
  return `${sign} ${value}`
}

export function metricOf(standing: EvaluationStanding, metric: Metric): number | null {
  if (metric === 'collected' || metric === 'acts') return standing[metric]
  return standing[metric].value ?? null
}

export function metricWritten(standing: EvaluationStanding, metric: Metric): string {
  const value = metricOf(standing, metric)
  if (metric === 'collected' || metric === 'acts') return fmt.count(value)
  return metric === 'timeliness' ? index(value) : rate(value)
}

/** The best first; what has no value comes last. */
export function ranked(standings: readonly EvaluationStanding[], metric: Metric): EvaluationStanding[] {
  const key = (one: EvaluationStanding) => metricOf(one, metric) ?? Number.NEGATIVE_INFINITY
  return [...standings].sort((a, b) => key(b) - key(a) || a.code.localeCompare(b.code))
}

const CLASSES = 4

/** Lower bounds of at most four classes of about as many areas each; fewer when values repeat. */
export function classBounds(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  const bounds: number[] = []
  for (let at = 0; at < CLASSES; at += 1) {
    const bound = sorted[Math.floor((at * sorted.length) / CLASSES)]
    if (bound !== undefined && bound !== bounds.at(-1)) bounds.push(bound)
  }
  return bounds
}

/** 1 for the lowest class; 0 without a value. */
export function classOf(value: number | null, bounds: readonly number[]): number {
  if (value === null) return 0
  // fewer classes use the darker end less: the lowest is always the lightest
  return bounds.filter((bound) => value >= bound).length
}
