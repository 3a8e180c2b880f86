// Words for the parts of the standard. The server sends codes in its own spelling (`CitizenId`, `citizen_id`,
// `Code{list}`); here they become the words that a clerk knows.
import type { StandardColumn } from '@shared/api.types'
import { t, tCode } from '@shared/i18n'

function snake(code: string): string {
  return code
    .replace(/[{(:].*$/, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .trim()
}

function word(prefix: string, code: string): string {
  const key = snake(code)
  const found = tCode(prefix, key)
  return found === key ? code : found
}

export const typeTitle = (code: string) => word('type', code)
export const kindTitle = (code: string) => word('kind', code)
export const severityTitle = (code: string) => word('severity', code)

/** `always`, `when` and `no`, or a plain boolean. */
export function personalTitle(personal: StandardColumn['personal']): string {
  if (personal === undefined || personal === null || personal === false) return ''
  if (personal === true) return t('standard.yes')
  const code = snake(personal)
  if (code === 'no' || code === '') return ''
  return code === 'always' ? t('standard.yes') : t('standard.conditional')
}
