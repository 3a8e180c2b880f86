import { textsOf } from '@shared/i18n'
import { forms } from '@shared/i18n/zh-CN/forms'

export const say = textsOf(forms)
