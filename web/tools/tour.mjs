// Takes a small picture of every page at both widths from a running demonstration and writes docs/tour.md.
//   node web/tools/tour.mjs http://localhost:8600 mingjian-data/demo-accounts.json
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const [base, accountsPath] = process.argv.slice(2)
if (!base || !accountsPath) {
  console.error('usage: node web/tools/tour.mjs http://localhost:PORT demo-accounts.json')
  process.exit(2)
}
const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url))
const SIZES = [
  { name: 'desk', width: 1366, height: 768, scale: 0.5 },
  { name: 'phone', width: 360, height: 740, scale: 0.6 },
]
const { accounts } = JSON.parse(readFileSync(accountsPath, 'utf8'))

/** The first thing of a list, as this session may see it. */
async function first(page, path, key = 'id') {
  const answer = await page.request.get(`/api/v1${path}`)
  if (!answer.ok()) return undefined
  const { items } = await answer.json()
  return items?.[0]?.[key]
}
const at =
  (before, path, key, after = '') =>
  async (page) => {
    const id = await first(page, path, key)
    return id === undefined ? undefined : `${before}${id}${after}`
  }

/** Who looks, and at what: a heading for docs/tour.md and the address, or how to find it. */
const TOUR = [
  {
    title: 'Portal: the citizen',
    login: null,
    pages: [
      ['首页', '/'],
      ['查询', '/search?q=%E8%B4%B8%E6%98%93'],
      ['监管动态', '/news'],
      ['曝光台', '/exposure'],
      ['数据开放', '/data'],
      ['进度查询', '/corrections'],
      ['无障碍声明', '/accessibility'],
      ['网站地图', '/sitemap'],
      ['关于', '/about'],
      ['没有这个页面', '/nowhere'],
    ],
  },
  {
    title: 'Signing in',
    login: null,
    pages: [
      ['登录', '/desk/login'],
      ['启用账号', '/desk/enrol'],
    ],
  },
  {
    title: 'Workbench: the clerk',
    login: 'city-clerk',
    pages: [
      ['首页', '/desk/home'],
      ['汇聚总览', '/desk/datahub'],
      ['数据批次', '/desk/datahub/batches'],
      ['一个批次', at('/desk/datahub/batches/', '/datahub/batches?limit=1&table=check_action', 'id')],
      ['待改正数据', '/desk/datahub/repairs'],
      ['表格填报', '/desk/datahub/entry'],
      ['上报数据', '/desk/datahub/upload'],
      ['数据来源', '/desk/datahub/sources'],
      ['数据标准', '/desk/datahub/standard'],
      ['一张表', '/desk/datahub/standard/check_action'],
      ['查字段', '/desk/datahub/fields'],
      ['代码表', '/desk/datahub/code-lists'],
      ['监管对象库', '/desk/parties'],
      ['一企一档', at('/desk/parties/', '/registry/parties?limit=1&q=%E8%B4%B8%E6%98%93', 'id')],
      ['疑似重复', '/desk/review'],
      ['合并记录', '/desk/merges'],
      ['待办事项', '/desk/work-items'],
      ['执法人员', '/desk/officers'],
      ['人员配备', '/desk/officers/coverage'],
      ['部门', '/desk/agencies'],
      ['监管事项', '/desk/catalog/items'],
      ['检查实施清单', '/desk/catalog/implementations'],
      ['事项对照', '/desk/catalog/mappings'],
      ['文章', '/desk/posts'],
      ['接口调试', '/desk/developer'],
      ['我的账号', '/desk/me'],
    ],
  },
  { title: 'Workbench: the leader', login: 'region-leader', pages: [['领导一页', '/desk/leader']] },
  { title: 'Workbench: administrators', login: 'sys-admin', pages: [['账号', '/desk/accounts']] },
  { title: 'Workbench: the auditor', login: 'audit-admin', pages: [['监管日志', '/desk/ledger']] },
  { title: 'Phone', login: null, pages: [['移动检查', '/m/']] },
]

async function signIn(context, login) {
  const account = accounts.find((one) => one.login === login)
  if (!account) throw new Error(`no demo account ${login}`)
  const page = await context.newPage()
  await page.goto('/desk/login')
  await page.getByLabel('账号').fill(account.login)
  await page.locator('#password').fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.locator('#sidebar').waitFor({ state: 'attached' })
  return page
}

rmSync(`${DOCS}tour`, { recursive: true, force: true })
mkdirSync(`${DOCS}tour`, { recursive: true })
const browser = await chromium.launch({
  executablePath: process.env.MJ_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
})
const lines = [
  '# A tour of every page',
  '',
  'Pictures of the demonstration city at 1366 and 360 pixels, made by `web/tools/tour.mjs`. All names and numbers in them are made up.',
  '',
]
let taken = 0
for (const part of TOUR) {
  lines.push(`## ${part.title}`, '')
  const shots = new Map(part.pages.map(([title]) => [title, []]))
  for (const size of SIZES) {
    const context = await browser.newContext({
      baseURL: base,
      viewport: { width: size.width, height: size.height },
      deviceScaleFactor: size.scale,
      locale: 'zh-CN',
      timezoneId: 'Asia/Shanghai',
    })
    const page = part.login ? await signIn(context, part.login) : await context.newPage()
    for (const [title, where] of part.pages) {
      const path = typeof where === 'string' ? where : await where(page)
      if (path === undefined) continue
      await page.goto(path)
      await page.waitForLoadState('networkidle')
      taken += 1
      const file = `${String(taken).padStart(2, '0')}-${size.name}.jpg`
      await page.screenshot({ path: `${DOCS}tour/${file}`, type: 'jpeg', quality: 55 })
      shots.get(title).push(`![${title}](tour/${file})`)
    }
    await context.close()
  }
  for (const [title, pictures] of shots) {
    if (pictures.length > 0) lines.push(`### ${title}`, '', pictures.join(' '), '')
  }
}
await browser.close()
writeFileSync(`${DOCS}tour.md`, `${lines.join('\n').trim()}\n`)
console.log(`${taken} pictures`)
