import { textsOf } from '@shared/i18n'
import { unread } from '@shared/i18n/zh-CN/unread'

export const say = textsOf(unread)
