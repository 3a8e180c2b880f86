// The menu, and which action each entry needs: an entry that the role cannot use is not shown.
import { t } from '@shared/i18n'

export interface MenuLink {
  name: string
  text: string
  needs: string
  /** Pages below this one. */
  also?: string[]
}

export interface MenuGroup {
  title: string
  links: MenuLink[]
}

const link = (name: string, text: string, needs: string, also: string[] = []): MenuLink => ({
  name,
  text,
  needs,
  also,
})

export const MENU: readonly MenuGroup[] = [
  {
    title: t('nav.desk'),
    links: [
      link('home', t('nav.home'), 'home.read'),
      link('work-items', t('nav.work_items'), 'flow.work_item.read'),
      link('review', t('nav.review'), 'flow.work_item.decide'),
      link('leader', t('leader.nav'), 'evaluation.figure.read', ['leader-rows', 'leader-record']),
    ],
  },
  {
    title: t('nav.data'),
    links: [
      link('overview', t('nav.overview'), 'datahub.summary.read'),
      link('batches', t('nav.batches'), 'datahub.batch.read', ['batch']),
      link('repairs', t('nav.repair'), 'datahub.error.read'),
      link('upload', t('nav.upload'), 'datahub.batch.create'),
      link('entry', t('nav.entry'), 'datahub.batch.create'),
      link('sources', t('nav.sources'), 'datahub.source.read', ['source']),
      link('standard', t('nav.standard'), 'datahub.table.read', [
        'standard-table',
        'fields',
        'code-lists',
        'code-list',
      ]),
    ],
  },
  {
    title: t('nav.objects'),
    links: [
      link('parties', t('nav.parties'), 'registry.party.read', ['party']),
      link('merges', t('nav.merges'), 'registry.party.read'),
    ],
  },
  {
    title: t('nav.people'),
    links: [
      link('officers', t('nav.officers'), 'registry.officer.read', ['officer']),
      link('coverage', t('nav.coverage'), 'registry.officer.read'),
      link('wordings', t('nav.wordings'), 'registry.wording.read'),
      link('agencies', t('nav.agencies'), 'access.agency.read', ['agency']),
      link('accounts', t('nav.accounts'), 'access.account.read', ['account', 'account-sight']),
      link('grant-requests', t('nav.grant_requests'), 'access.grant_request.read'),
      link('export-requests', t('nav.export_requests'), 'export.request.read'),
    ],
  },
  {
    title: t('nav.catalog'),
    links: [
      link('items', t('nav.items'), 'catalog.item.read', ['item']),
      link('implementations', t('nav.implementations'), 'catalog.item.read'),
      link('mappings', t('nav.mappings'), 'catalog.mapping.read'),
    ],
  },
  {
    title: t('posts.group'),
    links: [link('posts', t('posts.nav'), 'portal.post.read', ['post', 'post-new'])],
  },
  {
    title: t('nav.system'),
    links: [
      link('ledger', t('ledger.nav'), 'ledger.entry.read', ['ledger-entry']),
      link('audit-reports', t('audit.nav'), 'ledger.audit_report.read', ['audit-report']),
      link('refusals', t('refusals.nav'), 'access.refusal.read'),
      link('login-failures', t('failures.nav'), 'access.login_failure.read'),
      link('developer', t('nav.developer'), 'datahub.table.read'),
    ],
  },
]

export function menuFor(can: (action: string) => boolean): MenuGroup[] {
  return MENU.map((group) => ({ ...group, links: group.links.filter((one) => can(one.needs)) })).filter(
    (group) => group.links.length > 0,
  )
}

const NEEDS = new Map(MENU.flatMap((group) => group.links.map((one) => [one.name, one.needs])))

/** Whether the page of this name may be opened at all: a page that is in no menu decides for itself. */
export function mayOpen(name: unknown, can: (action: string) => boolean): boolean {
  const needs = NEEDS.get(String(name))
  return needs === undefined || can(needs)
}

const HOMES = ['home', 'overview', 'parties', 'work-items']

/** Where a day begins: the first of the work pages that this role can use. */
export function homeFor(can: (action: string) => boolean): string {
  const names = new Set(menuFor(can).flatMap((group) => group.links.map((one) => one.name)))
  return HOMES.find((name) => names.has(name)) ?? 'standard'
}
