// What a refusal says to the person at the desk: the server's own sentence first; ours only when it has none
// or when the status alone tells more (no line, no right, no such record).
import type { Problem } from '@shared/client'
import { t } from '@shared/i18n'

export function problemText(problem: Problem): string {
  if (problem.status === 0) return t('state.unreachable')
  if (problem.message !== '') return problem.message
  if (problem.status === 403) return t('state.forbidden')
  if (problem.status === 404) return t('state.gone')
  if (problem.status === 501) return t('state.unfinished')
  return t('state.server_error')
}
