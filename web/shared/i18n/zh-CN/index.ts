// The source text of every face, one file a domain. Keys are flat and begin with the domain.

import { access } from './access'
import { agencies } from './agencies'
import { catalog } from './catalog'
import { datahub } from './datahub'
import { flow } from './flow'
import { home } from './home'
import { leader } from './leader'
import { ledger } from './ledger'
import { officers } from './officers'
import { posts } from './posts'
import { registry } from './registry'
import { session } from './session'
import { shell } from './shell'
import { sources } from './sources'
import { table } from './table'
import { workbench } from './workbench'

export const zhCN = {
  ...shell,
  ...session,
  ...datahub,
  ...registry,
  ...home,
  ...officers,
  ...access,
  ...agencies,
  ...sources,
  ...catalog,
  ...flow,
  ...leader,
  ...ledger,
  ...posts,
  ...table,
  ...workbench,
} as const
