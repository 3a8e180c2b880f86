import { textsOf } from '@shared/i18n'
import { audit } from '@shared/i18n/zh-CN/audit'

export const say = textsOf(audit)
