import { textsOf } from '@shared/i18n'
import { developer } from '@shared/i18n/zh-CN/developer'

export const say = textsOf(developer)
