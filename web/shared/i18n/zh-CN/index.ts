// The source text of every face, one file a domain. Keys are flat and begin with the domain.
import { datahub } from './datahub'
import { developer } from './developer'
import { flow } from './flow'
import { registry } from './registry'
import { session } from './session'
import { shell } from './shell'
import { table } from './table'

export const zhCN = {
  ...shell,
  ...session,
  ...datahub,
  ...developer,
  ...registry,
  ...flow,
  ...table,
} as const
