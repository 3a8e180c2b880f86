// The source text of every face, one file a domain. Keys are flat and begin with the domain.
import { datahub } from './datahub'
import { flow } from './flow'
import { registry } from './registry'
import { session } from './session'
import { shell } from './shell'

export const zhCN = { ...shell, ...session, ...datahub, ...registry, ...flow } as const
