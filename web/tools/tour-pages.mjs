// Every page of the product, who looks at it and what is on it: the tour takes its pictures from here, and a
// test holds the list against the workbench's routes.

const items = async (page, path) => {
  // what is looked for stands behind a `#` here and travels in a header
  const [asked, typed = ''] = path.split('#')
  const answer = await page.request.get(`/api/v1${asked}`, {
    headers: { 'Mingjian-Search': encodeURIComponent(typed) },
  })
  if (!answer.ok()) return []
  const list = await answer.json()
  return Array.isArray(list) ? list : (list.items ?? [])
}

/** The first thing of a list, as the one who looks may see it. */
const first =
  (path, key = 'id', is = () => true) =>
  async (page) =>
    (await items(page, path)).find(is)?.[key]

const PARTIES = '/registry/parties?limit=1#贸易'
const OFFICERS = '/registry/officers?limit=1'

/** `path` may hold `:id`, which `find` looks up. */
export const TOUR = [
  {
    title: 'Portal: the citizen',
    login: null,
    pages: [
      { title: '首页', path: '/' },
      { title: '查询', path: '/search?q=%E8%B4%B8%E6%98%93' },
      {
        title: '公示信息',
        path: '/parties/:id',
        find: first('/public/parties?limit=1&q=%E8%B4%B8%E6%98%93', 'register_no'),
      },
      {
        title: '信息有误',
        path: '/:id',
        find: async (page) => {
          await page.goto('/search?q=%E8%B4%B8%E6%98%93')
          await page.locator('main a[href^="/parties/"]').first().click()
          const link = page.getByRole('link', { name: '这条有误' }).first()
          return (await link.getAttribute('href'))?.slice(1)
        },
      },
      { title: '监管动态', path: '/news' },
      { title: '一篇动态', path: '/news/:id', find: first('/public/news', 'number') },
      { title: '监管日志公示', path: '/log' },
      { title: '曝光台', path: '/exposure' },
      { title: '一次曝光', path: '/exposure/:id', find: first('/public/exposures', 'number') },
      { title: '数据开放', path: '/data' },
      { title: '一个数据集', path: '/data/:id', find: first('/public/datasets') },
      { title: '进度查询', path: '/corrections' },
      { title: '无障碍声明', path: '/accessibility' },
      { title: '网站地图', path: '/sitemap' },
      { title: '关于', path: '/about' },
      { title: '没有这个页面', path: '/nowhere' },
    ],
  },
  {
    title: 'Signing in',
    login: null,
    pages: [
      { title: '登录', path: '/desk/login' },
      { title: '启用账号', path: '/desk/enrol' },
      { title: '应急启用', path: '/desk/emergency' },
      { title: '平台还没有启用完毕', path: '/desk/not-set-up' },
    ],
  },
  {
    title: 'Workbench: the clerk',
    login: 'city-clerk',
    pages: [
      { title: '首页', path: '/desk/home' },
      { title: '汇聚总览', path: '/desk/datahub' },
      { title: '数据批次', path: '/desk/datahub/batches' },
      {
        title: '一个批次',
        path: '/desk/datahub/batches/:id',
        find: first('/datahub/batches?limit=1&table=check_action'),
      },
      { title: '待改正数据', path: '/desk/datahub/repairs' },
      { title: '表格填报', path: '/desk/datahub/entry' },
      { title: '上报数据', path: '/desk/datahub/upload' },
      { title: '数据来源', path: '/desk/datahub/sources' },
      {
        title: '一个来源',
        path: '/desk/datahub/sources/:id',
        find: first('/datahub/sources?limit=1', 'cd_source'),
      },
      { title: '数据标准', path: '/desk/datahub/standard' },
      { title: '一张表', path: '/desk/datahub/standard/check_action' },
      { title: '查字段', path: '/desk/datahub/fields' },
      { title: '代码表', path: '/desk/datahub/code-lists' },
      { title: '一张代码表', path: '/desk/datahub/code-lists/law_staff_type' },
      { title: '监管对象库', path: '/desk/parties' },
      { title: '一企一档', path: '/desk/parties/:id', find: first(PARTIES) },
      { title: '谁能看到这条记录', path: '/desk/records/party/:id/readers', find: first(PARTIES) },
      { title: '疑似重复', path: '/desk/review' },
      { title: '合并记录', path: '/desk/merges' },
      { title: '一次合并', path: '/desk/merges/:id', find: first('/registry/merges?limit=1') },
      { title: '待办事项', path: '/desk/work-items' },
      { title: '一件待办', path: '/desk/work-items/:id', find: first('/flow/work-items?limit=1&state=open') },
      { title: '执法人员', path: '/desk/officers' },
      { title: '一名执法人员', path: '/desk/officers/:id', find: first(OFFICERS) },
      { title: '人员配备', path: '/desk/officers/coverage' },
      { title: '执法类别对应', path: '/desk/officers/wordings' },
      { title: '部门', path: '/desk/agencies' },
      { title: '一个部门', path: '/desk/agencies/:id', find: first('/access/agencies?limit=1', 'uscc') },
      { title: '监管事项', path: '/desk/catalog/items' },
      {
        title: '一个事项',
        path: '/desk/catalog/items/:id',
        find: first('/catalog/items?limit=1', 'item_code'),
      },
      { title: '检查实施清单', path: '/desk/catalog/implementations' },
      { title: '事项对照', path: '/desk/catalog/mappings' },
      { title: '文章', path: '/desk/posts' },
      { title: '写一篇动态', path: '/desk/posts/new/news' },
      { title: '一篇文章', path: '/desk/posts/:id', find: first('/portal/posts') },
      { title: '导出申请', path: '/desk/export-requests' },
      { title: '接口调试', path: '/desk/developer' },
      { title: '我的账号', path: '/desk/me' },
      { title: '没有这个页面', path: '/desk/nowhere' },
    ],
  },
  {
    title: 'Workbench: the leader',
    login: 'region-leader',
    pages: [
      { title: '领导一页', path: '/desk/leader' },
      {
        title: '数字背后的记录',
        path: '/desk/leader/rows/:id',
        find: first('/evaluation/indicators', 'id', (one) => one.rows ?? true),
      },
      {
        title: '一条记录',
        path: '/desk/leader/records/:id',
        find: async (page) => {
          const indicators = await items(page, '/evaluation/indicators')
          for (const { id } of indicators) {
            const row = (await items(page, `/evaluation/indicators/${id}/rows?limit=1`)).find(
              (one) => one.kind === 'record',
            )
            if (row) return `${row.table}/${row.id}`
          }
        },
      },
    ],
  },
  {
    title: 'Workbench: administrators',
    login: 'sec-admin',
    pages: [
      { title: '账号', path: '/desk/accounts' },
      {
        title: '一个账号',
        path: '/desk/accounts/:id',
        find: first('/access/accounts?limit=50', 'id', (one) => one.login === 'city-clerk'),
      },
      {
        title: '此人能看到什么',
        path: '/desk/accounts/:id/sight',
        find: first('/access/accounts?limit=50', 'id', (one) => one.login === 'city-clerk'),
      },
      { title: '授权申请', path: '/desk/grant-requests' },
    ],
  },
  {
    title: 'Workbench: the auditor',
    login: 'audit-admin',
    pages: [
      { title: '监管日志', path: '/desk/ledger' },
      { title: '月度审计报告', path: '/desk/ledger/reports' },
      {
        title: '一个月的审计报告',
        path: '/desk/ledger/reports/:id',
        find: first('/log/audit-reports', 'month'),
      },
      { title: '登录失败记录', path: '/desk/login-failures' },
      { title: '拒绝记录', path: '/desk/refusals' },
      { title: '一条日志', path: '/desk/ledger/:id', find: first('/log/entries?limit=1', 'seq') },
    ],
  },
  { title: 'Phone', login: null, pages: [{ title: '移动检查', path: '/m/' }] },
]
