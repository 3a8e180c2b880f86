// Every page of the workbench and the one guard: without a session there is only login and enrolment.
import type { PlainKey } from '@shared/i18n'
import { t } from '@shared/i18n'
import { createRouter, createWebHistory } from 'vue-router'
import { useSession } from './features/session/session.store'
import { homeFor } from './menu'
import { askForNewer } from './ui/useNewer'

declare module 'vue-router' {
  interface RouteMeta {
    title: PlainKey
    /** Pages outside the shell. */
    isBare?: boolean
  }
}

export const router = createRouter({
  history: createWebHistory('/desk/'),
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? {} : { top: 0 }),
  routes: [
    {
      path: '/',
      component: () => import('./features/home/HomePage.vue'),
      meta: { title: 'home.title' },
      // not a redirect: those are followed before anybody is known to be signed in
      beforeEnter: () => ({ name: homeFor(useSession().can) }),
    },
    {
      path: '/home',
      name: 'home',
      component: () => import('./features/home/HomePage.vue'),
      meta: { title: 'home.title' },
    },
    {
      path: '/officers',
      name: 'officers',
      component: () => import('./features/officers/OfficerListPage.vue'),
      meta: { title: 'officers.title' },
    },
    {
      path: '/officers/coverage',
      name: 'coverage',
      component: () => import('./features/officers/CoveragePage.vue'),
      meta: { title: 'coverage.title' },
    },
    {
      path: '/officers/wordings',
      name: 'wordings',
      component: () => import('./features/officers/WordingPage.vue'),
      meta: { title: 'wording.title' },
    },
    {
      path: '/officers/:id',
      name: 'officer',
      component: () => import('./features/officers/OfficerPage.vue'),
      meta: { title: 'officers.title' },
      props: true,
    },
    {
      path: '/agencies',
      name: 'agencies',
      component: () => import('./features/agencies/AgencyListPage.vue'),
      meta: { title: 'agencies.title' },
    },
    {
      path: '/agencies/:id',
      name: 'agency',
      component: () => import('./features/agencies/AgencyPage.vue'),
      meta: { title: 'agencies.title' },
      props: true,
    },
    {
      path: '/accounts',
      name: 'accounts',
      component: () => import('./features/accounts/AccountListPage.vue'),
      meta: { title: 'accounts.title' },
    },
    {
      path: '/accounts/:id',
      name: 'account',
      component: () => import('./features/accounts/AccountPage.vue'),
      meta: { title: 'accounts.title' },
      props: true,
    },
    {
      path: '/catalog/items',
      name: 'items',
      component: () => import('./features/catalog/ItemListPage.vue'),
      meta: { title: 'items.title' },
    },
    {
      path: '/catalog/items/:code',
      name: 'item',
      component: () => import('./features/catalog/ItemPage.vue'),
      meta: { title: 'items.title' },
      props: true,
    },
    {
      path: '/catalog/implementations',
      name: 'implementations',
      component: () => import('./features/catalog/ImplementationListPage.vue'),
      meta: { title: 'impl.title' },
    },
    {
      path: '/catalog/mappings',
      name: 'mappings',
      component: () => import('./features/catalog/MappingPage.vue'),
      meta: { title: 'mapping.title' },
    },
    {
      path: '/datahub/sources',
      name: 'sources',
      component: () => import('./features/sources/SourceListPage.vue'),
      meta: { title: 'sources.title' },
    },
    {
      path: '/datahub/sources/:id',
      name: 'source',
      component: () => import('./features/sources/SourcePage.vue'),
      meta: { title: 'sources.title' },
      props: true,
    },
    {
      path: '/datahub/fields',
      name: 'fields',
      component: () => import('./features/standard/FieldSearchPage.vue'),
      meta: { title: 'standard.title' },
    },
    {
      path: '/datahub/code-lists',
      name: 'code-lists',
      component: () => import('./features/standard/CodeListsPage.vue'),
      meta: { title: 'standard.title' },
    },
    {
      path: '/datahub/code-lists/:list',
      name: 'code-list',
      component: () => import('./features/standard/CodeListPage.vue'),
      meta: { title: 'standard.title' },
      props: true,
    },
    {
      path: '/login',
      name: 'login',
      component: () => import('./features/session/LoginPage.vue'),
      meta: { title: 'login.title', isBare: true },
    },
    {
      path: '/enrol',
      name: 'enrol',
      component: () => import('./features/session/EnrolPage.vue'),
      meta: { title: 'enrol.title', isBare: true },
    },
    {
      path: '/not-set-up',
      name: 'not-set-up',
      component: () => import('./features/session/NotSetUpPage.vue'),
      meta: { title: 'not_set_up.title', isBare: true },
    },
    {
      path: '/emergency',
      name: 'emergency',
      component: () => import('./features/session/EmergencyPage.vue'),
      meta: { title: 'emergency.title', isBare: true },
    },
    {
      path: '/developer/:id?',
      name: 'developer',
      component: () => import('./features/developer/DeveloperPage.vue'),
      meta: { title: 'dev.title', isBare: true },
      props: true,
    },
    {
      path: '/ledger',
      name: 'ledger',
      component: () => import('./features/ledger/LedgerPage.vue'),
      meta: { title: 'ledger.title' },
    },
    {
      path: '/ledger/reports',
      name: 'audit-reports',
      component: () => import('./features/ledger/AuditMonthsPage.vue'),
      meta: { title: 'audit.title' },
    },
    {
      path: '/ledger/reports/:month',
      name: 'audit-report',
      component: () => import('./features/ledger/AuditReportPage.vue'),
      meta: { title: 'audit.title' },
      props: true,
    },
    {
      path: '/ledger/:seq',
      name: 'ledger-entry',
      component: () => import('./features/ledger/LedgerEntryPage.vue'),
      meta: { title: 'ledger.title' },
      props: true,
    },
    {
      path: '/datahub',
      name: 'overview',
      component: () => import('./features/datahub/OverviewPage.vue'),
      meta: { title: 'overview.title' },
    },
    {
      path: '/datahub/batches',
      name: 'batches',
      component: () => import('./features/datahub/BatchListPage.vue'),
      meta: { title: 'batches.title' },
    },
    {
      path: '/datahub/batches/:id',
      name: 'batch',
      component: () => import('./features/datahub/BatchPage.vue'),
      meta: { title: 'nav.batches' },
      props: true,
    },
    {
      path: '/datahub/repairs',
      name: 'repairs',
      component: () => import('./features/datahub/RepairListPage.vue'),
      meta: { title: 'repairs.title' },
    },
    {
      path: '/datahub/entry',
      name: 'entry',
      component: () => import('./features/datahub/EntryPage.vue'),
      meta: { title: 'entry.title' },
    },
    {
      path: '/datahub/upload',
      name: 'upload',
      component: () => import('./features/datahub/UploadPage.vue'),
      meta: { title: 'upload.title' },
    },
    {
      path: '/datahub/standard',
      name: 'standard',
      component: () => import('./features/datahub/StandardListPage.vue'),
      meta: { title: 'standard.title' },
    },
    {
      path: '/datahub/standard/:table',
      name: 'standard-table',
      component: () => import('./features/datahub/StandardTablePage.vue'),
      meta: { title: 'standard.title' },
      props: true,
    },
    {
      path: '/parties',
      name: 'parties',
      component: () => import('./features/registry/PartyListPage.vue'),
      meta: { title: 'parties.title' },
    },
    {
      path: '/parties/:id',
      name: 'party',
      component: () => import('./features/registry/PartyPage.vue'),
      meta: { title: 'nav.objects' },
      props: true,
    },
    {
      path: '/merges/:id?',
      name: 'merges',
      component: () => import('./features/registry/MergeListPage.vue'),
      meta: { title: 'merges.title' },
      props: true,
    },
    {
      path: '/review',
      name: 'review',
      component: () => import('./features/flow/ReviewPage.vue'),
      meta: { title: 'review.title' },
    },
    {
      path: '/work-items/:id?',
      name: 'work-items',
      component: () => import('./features/flow/WorkItemListPage.vue'),
      meta: { title: 'work.title' },
      props: true,
    },
    {
      path: '/grant-requests',
      name: 'grant-requests',
      component: () => import('./features/accounts/GrantRequestsPage.vue'),
      meta: { title: 'nav.grant_requests' },
    },
    {
      path: '/login-failures',
      name: 'login-failures',
      component: () => import('./features/accounts/LoginFailuresPage.vue'),
      meta: { title: 'failures.title' },
    },
    {
      path: '/refusals',
      name: 'refusals',
      component: () => import('./features/accounts/RefusalsPage.vue'),
      meta: { title: 'refusals.title' },
    },
    {
      path: '/export-requests',
      name: 'export-requests',
      component: () => import('./features/accounts/ExportRequestsPage.vue'),
      meta: { title: 'exports.title' },
    },
    {
      path: '/accounts/:id/sight',
      name: 'account-sight',
      component: () => import('./features/accounts/AccountSightPage.vue'),
      meta: { title: 'sight.title' },
      props: true,
    },
    {
      path: '/records/:kind/:id/readers',
      name: 'readers',
      component: () => import('./features/accounts/ReadersPage.vue'),
      meta: { title: 'readers.title' },
      props: true,
    },
    {
      path: '/me',
      name: 'me',
      component: () => import('./features/session/MyAccountPage.vue'),
      meta: { title: 'me.title' },
    },
    {
      path: '/leader',
      name: 'leader',
      component: () => import('./features/leader/LeaderPage.vue'),
      meta: { title: 'leader.title' },
    },
    {
      path: '/leader/rows/:id',
      name: 'leader-rows',
      component: () => import('./features/leader/RowsPage.vue'),
      meta: { title: 'leader.title' },
      props: true,
    },
    {
      path: '/leader/records/:table/:row',
      name: 'leader-record',
      component: () => import('./features/leader/RecordPage.vue'),
      meta: { title: 'leader.record_values' },
      props: true,
    },
    {
      path: '/posts',
      name: 'posts',
      component: () => import('./features/posts/PostListPage.vue'),
      meta: { title: 'posts.title' },
    },
    {
      path: '/posts/new/:kind(news|exposure)',
      name: 'post-new',
      component: () => import('./features/posts/PostNewPage.vue'),
      meta: { title: 'posts.title' },
      props: true,
    },
    {
      path: '/posts/:id',
      name: 'post',
      component: () => import('./features/posts/PostPage.vue'),
      meta: { title: 'posts.title' },
      props: true,
    },
    {
      path: '/:rest(.*)*',
      name: 'not-found',
      component: () => import('./ui/NotFoundPage.vue'),
      meta: { title: 'app.not_found' },
    },
  ],
})

router.beforeEach(async (to) => {
  const session = useSession()
  await session.restore()
  // what the server would refuse anyway: first the password
  if (session.current?.password_expired && !to.meta.isBare && to.name !== 'me') return { name: 'me' }
  if (session.current?.missing_administrators.length && !to.meta.isBare) return { name: 'not-set-up' }
  if (to.name === 'not-set-up' && session.current === null) return { name: 'login' }
  if (to.meta.isBare || session.current !== null) return true
  // what somebody looked for (see ui/typed.ts) is not carried on from an address of before
  const { q: _, ...query } = to.query
  const next = router.resolve({ path: to.path, query, hash: to.hash }).fullPath
  return { name: 'login', query: to.path === '/' ? {} : { next } }
})

// a part of the page that the node does not have any more: it was upgraded meanwhile
router.onError((cause) => {
  console.error(cause)
  void askForNewer()
})

export function setTitle(text: string): void {
  document.title = `${text} - ${t('app.name')}${t('app.desk')}`
}

router.afterEach((to, from) => {
  setTitle(t(to.meta.title))
  // A reader of the screen starts at the new page, not at the link that is gone; a page of one form at its first field.
  if (to.name !== from.name && from.name !== undefined) {
    requestAnimationFrame(() => {
      if (document.activeElement?.matches('#main input')) return
      document.getElementById('main')?.focus({ preventScroll: true })
    })
  }
})
