// Where in a form a refusal belongs: each reason once, at the field it is about; what is about none, at the form.
import { Problem } from '@shared/client'
import { problemText } from './problem'

export interface Refused<F extends string> {
  fields: Partial<Record<F, string>>
  /** What belongs to no field; empty when everything does. */
  rest: string
}

export const NOTHING_REFUSED = { fields: {}, rest: '' } as const

/** `places`: which field of the form a name of the server, or a code of a problem as a whole, stands for. */
export function refusedBy<F extends string>(
  cause: unknown,
  places: Readonly<Record<string, F>>,
  otherwise: string,
): Refused<F> {
  if (!(cause instanceof Problem)) return { fields: {}, rest: otherwise }
  const whole = places[cause.code]
  if (whole) return { fields: { [whole]: problemText(cause) } as Partial<Record<F, string>>, rest: '' }
  const fields: Partial<Record<F, string>> = {}
  const left: string[] = []
  for (const [name, said] of Object.entries(cause.fields)) {
    const place = places[name]
    if (place) fields[place] ??= said
    else left.push(said)
  }
  const isTold = Object.keys(fields).length > 0
  return { fields, rest: isTold ? left.join('。') : [problemText(cause), ...left].join('。') }
}
