// Every page of the workbench and the one guard: without a session there is only login and enrolment.
import type { PlainKey } from '@shared/i18n'
import { t } from '@shared/i18n'
import { createRouter, createWebHistory } from 'vue-router'
import { useSession } from './features/session/session.store'
import { homeFor } from './menu'

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
    { path: '/', redirect: () => ({ name: homeFor(useSession().can) }) },
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
      path: '/developer/:id?',
      name: 'developer',
      component: () => import('./features/developer/DeveloperPage.vue'),
      meta: { title: 'dev.title', isBare: true },
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
  if (to.meta.isBare || session.current !== null) return true
  return { name: 'login', query: to.path === '/' ? {} : { next: to.fullPath } }
})

export function setTitle(text: string): void {
  document.title = `${text} - ${t('app.name')}${t('app.desk')}`
}

router.afterEach((to, from) => {
  setTitle(t(to.meta.title))
  // A reader of the screen starts at the new page, not at the link that is gone.
  if (to.name !== from.name && from.name !== undefined) {
    requestAnimationFrame(() => document.getElementById('main')?.focus({ preventScroll: true }))
  }
})
