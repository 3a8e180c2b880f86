import { textsOf } from '@shared/i18n'
import { emergency } from '@shared/i18n/zh-CN/emergency'

export const say = textsOf(emergency)
