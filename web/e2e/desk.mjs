// Stories of the workbench, told as a supervisor would tell them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { newSheet } from './sheet.mjs'

const TABLE = { name: 'object_enterprise', title: '企业法人' }
/** Who hands data in, most ordinary first. */
const DELIVERING = ['clerk', 'datahub_operator', 'dept_admin']

async function logIn(visit, account, home = '工作台') {
  const { page } = visit
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.getByLabel('密码', { exact: true }).fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.getByRole('heading', { level: 1, name: home }).waitFor()
}

/** The first account that may hand in a file of the table, found as an outside program would. */
async function delivering(visit, world) {
  if (world.deliverer) return world.deliverer
  for (const role of DELIVERING) {
    for (const account of world.accounts.filter((one) => one.role === role)) {
      const opened = await visit.page.request.post('/api/v1/sessions', {
        data: { login: account.login, password: account.password },
      })
      const { token } = await opened.json()
      const answer = await visit.page.request.get('/api/v1/datahub/sources', {
        headers: { Authorization: `Bearer ${token}` },
      })
      if (!answer.ok()) continue
      const { items } = await answer.json()
      const source = items.find(
        (one) =>
          one.status !== 'stopped' &&
          (one.channels.length === 0 || one.channels.includes('file')) &&
          (one.tables.length === 0 || one.tables.includes(TABLE.name)),
      )
      if (source) {
        await visit.context.clearCookies()
        world.deliverer = { account, source }
        return world.deliverer
      }
    }
  }
  throw new Error(`no demo account may hand in ${TABLE.name}`)
}

/** The file of this run is in the data centre: handed in by the story above, or here when a story runs alone. */
async function handedIn(visit, world) {
  if (world.sheet) return world.sheet
  const { account, source } = await delivering(visit, world)
  const { request } = visit.page
  const opened = await request.post('/api/v1/sessions', {
    data: { login: account.login, password: account.password },
  })
  const { token } = await opened.json()
  await visit.context.clearCookies()
  world.sheet = newSheet()
  const query = new URLSearchParams({ table: TABLE.name, cd_source: source.cd_source })
  const answer = await request.post(`/api/v1/datahub/batches/file?${query}`, {
    headers: {
      Authorization: `Bearer ${token}`,
      'Idempotency-Key': crypto.randomUUID(),
      'Content-Type': 'application/octet-stream',
    },
    data: Buffer.from(world.sheet.csv, 'utf8'),
  })
  assert.equal(answer.status(), 202, await answer.text())
  return world.sheet
}

/** A token of the first demo account of a role, for what a story needs done beforehand. */
async function tokenOf(visit, account) {
  const opened = await visit.page.request.post('/api/v1/sessions', {
    data: { login: account.login, password: account.password },
  })
  const { token } = await opened.json()
  await visit.context.clearCookies()
  return token
}

async function choose(page, label, option) {
  // The select's own placeholder lies over its input; a person's click lands on it all the same.
  await page.getByRole('combobox', { name: label }).click({ force: true })
  await page.getByRole('option', { name: option }).first().click()
}

async function enter(visit, world) {
  const { account, source } = await delivering(visit, world)
  await logIn(visit, account)
  return { account, source }
}

export const stories = {
  async 'a stranger is asked to log in, and a wrong password is told in words'(visit) {
    const { page } = visit
    visit.expectStatus(401)
    await page.goto('/desk/parties?q=abc')
    await page.getByRole('heading', { level: 1, name: '登录' }).waitFor()
    await page.waitForFunction(() => document.activeElement?.id === 'login')
    await visit.look('login')
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByText('请填写登录名。').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'login')
    await page.getByLabel('登录名').fill('nobody-of-this-name')
    await page.getByLabel('密码', { exact: true }).fill('not the password')
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByRole('alert').first().waitFor()
    await visit.look('login refused')
    // an address with words of somebody else's in it does not speak for us
    await page.goto(`/desk/login?enrolled=${encodeURIComponent('请拨打 138 客服')}`)
    await page.getByRole('heading', { level: 1, name: '登录' }).waitFor()
    assert.equal(await page.getByText('请拨打').count(), 0)
    // whoever comes from enrolling has the login already
    await page.goto('/desk/login?enrolled=wang.min&login=wang.min')
    await page.waitForFunction(() => document.activeElement?.id === 'password')
    await page.getByRole('link', { name: '启用账号' }).click()
    await page.getByRole('heading', { level: 1, name: '启用账号' }).waitFor()
    await page.waitForFunction(() => document.activeElement?.id === 'code')
    await page.getByRole('button', { name: '启用' }).click()
    await visit.look('enrolment with errors')
  },

  async 'a clerk hands in a file with one bad row and sees it refused with the reason'(visit, world) {
    const { page } = visit
    const { source } = await enter(visit, world)
    await visit.look('overview')
    const sheet = newSheet()
    world.sheet = sheet
    await page.goto('/desk/datahub/upload')
    await page.getByRole('combobox', { name: '数据表' }).click()
    await page.getByRole('option').first().waitFor()
    await visit.look('upload with the list open')
    await page.getByRole('option', { name: TABLE.title, exact: true }).click()
    const sources = page.getByRole('combobox', { name: '数据来源' })
    await sources.click()
    await page.getByRole('option', { name: source.name }).first().click()
    await page.getByRole('button', { name: '开始上报' }).click()
    await page.getByText('请选择一个文件。').waitFor()
    await page.locator('#file').setInputFiles({
      name: '企业法人_十一月.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(sheet.csv, 'utf8'),
    })
    await page.getByRole('button', { name: '开始上报' }).click()
    const verdict = page.locator('[data-test=verdict]')
    await visit.until('the batch is settled', async () =>
      /条合格/.test((await verdict.textContent().catch(() => '')) ?? ''),
    )
    assert.match((await verdict.textContent()) ?? '', /1 条合格，1 条有错误/)
    assert.match((await page.locator('[data-test=reconciled]').textContent()) ?? '', /与前置数相符/)
    await visit.look('upload result')
    await page.getByRole('link', { name: '查看批次和错误原因' }).click()
    const row = page.locator('[data-test=error-row]').first()
    await row.waitFor()
    const told = (await row.textContent()) ?? ''
    assert.match(told, /第 2 行/)
    assert.ok(told.includes(sheet.badUscc), 'the wrong value is shown')
    assert.match(told, /统一社会信用代码/)
    await visit.look('batch')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('[data-test=marked-sheet]').click(),
    ])
    const marked = readFileSync(await download.path())
    assert.equal(marked.subarray(0, 2).toString(), 'PK', 'the marked sheet is an XLSX file')
    await page.locator('[data-test=class-06]').click()
    await page.waitForURL(/class=06/)
    await row.waitFor()
    await page.reload()
    await row.waitFor()
    assert.match(page.url(), /class=06/)
  },

  async 'the enterprise is found by pinyin initials, and every value names its source'(visit, world) {
    const { page } = visit
    const sheet = await handedIn(visit, world)
    await enter(visit, world)
    await page.goto('/desk/parties')
    const box = page.locator('[data-test=party-search]')
    await box.waitFor()
    const hit = page.locator('[data-test=party-row]').filter({ hasText: sheet.goodName })
    await visit.until('the search knows the new enterprise', async () => {
      await box.fill(sheet.initials)
      await box.press('Enter')
      return hit
        .first()
        .waitFor({ timeout: 3000 })
        .then(
          () => true,
          () => page.reload().then(() => false),
        )
    })
    await visit.look('search')
    await page.goto(`/desk/parties?q=${sheet.goodUscc.slice(-6)}`)
    await hit.first().waitFor()
    await page.goto(`/desk/parties?q=${encodeURIComponent(sheet.word)}`)
    await hit.first().getByRole('link').click()
    await page.getByRole('heading', { level: 1, name: sheet.goodName }).waitFor()
    const shown = ((await page.locator('[data-test=uscc]').textContent()) ?? '').replaceAll(' ', '')
    assert.equal(shown, sheet.goodUscc)
    const fields = page.locator('[data-test=field]')
    assert.ok((await fields.count()) >= 4, 'the register entry has its fields')
    for (const field of await fields.all()) {
      assert.equal(
        (await field.locator('[data-test=provenance]').count()) > 0,
        true,
        `no provenance: ${await field.textContent()}`,
      )
    }
    await visit.look('dossier')
    await fields
      .first()
      .getByRole('link', { name: /行|批次/ })
      .first()
      .click()
    await page.getByRole('heading', { level: 1, name: TABLE.title }).waitFor()
  },

  async 'an enterprise with a history shows it, and a table filters it'(visit, world) {
    const { page } = visit
    await enter(visit, world)
    await page.goto('/desk/parties')
    const rows = page.locator('[data-test=party-row]')
    await rows.first().waitFor()
    await rows.first().getByRole('link').click()
    await page.getByRole('heading', { level: 2, name: '监管记录' }).waitFor()
    await page.getByRole('button', { name: /^行政处罚/ }).click()
    await page.locator('[data-test=timeline-entry], .empty').first().waitFor()
    await visit.look('timeline')
  },

  async 'every other page stands: batches, data standard, work items, and a page that is not there'(
    visit,
    world,
  ) {
    const { page } = visit
    await enter(visit, world)
    await page.goto('/desk/datahub/batches')
    await page.locator('[data-test=batch-row]').first().waitFor()
    await visit.look('batches')
    await choose(page, '状态', '失败')
    await page.waitForURL(/state=failed/)
    await page.goBack()
    await page.waitForURL((url) => !url.search.includes('state'))
    await page.goto('/desk/datahub/standard')
    await page.getByRole('link', { name: TABLE.title, exact: true }).waitFor()
    await visit.look('the data standard')
    await page.getByRole('link', { name: TABLE.title, exact: true }).click()
    await page.getByRole('heading', { level: 1, name: TABLE.title }).waitFor()
    await visit.look('a table of the standard')
    await page.getByRole('button', { name: /^检查规则/ }).click()
    await visit.look('its rules')
    await page.goto('/desk/work-items?kind=party_pair')
    await page.locator('[data-test=work-row], .empty, .failure').first().waitFor()
    await visit.look('work items')
    if ((await page.locator('[data-test=work-row]').count()) > 0) {
      await page.locator('[data-test=work-row]').first().getByRole('link').click()
      await page.getByRole('dialog').getByRole('table').waitFor()
      await visit.look('a doubtful pair')
      await page.keyboard.press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'hidden' })
    }
    await page.goto('/desk/no/such/page')
    await page.getByRole('heading', { level: 1, name: '没有这个页面' }).waitFor()
    await visit.look('not found')
  },

  async 'parties are narrowed to an area that holds some'(visit, world) {
    const { page } = visit
    await logIn(
      visit,
      world.accounts.find((one) => one.role === 'datahub_operator'),
    )
    await page.goto('/desk/parties')
    await page.locator('[data-test=party-row]').first().waitFor()
    await page.getByRole('combobox', { name: '行政区划' }).click()
    const options = page.locator('.app-select:visible').getByRole('option')
    await options.first().waitFor()
    assert.ok((await options.count()) > 1, 'the areas come from the data')
    const name = ((await options.last().textContent()) ?? '').trim()
    await options.last().click()
    await page.waitForURL(/area=\d{6}/)
    await page.locator('[data-test=party-row]').first().getByText(name).first().waitFor()
    await visit.look('parties of one area')
  },

  async 'a doubtful pair names both parties; whoever claims it may judge or give it back'(visit, world) {
    const { page } = visit
    await logIn(
      visit,
      world.accounts.find((one) => one.role === 'datahub_operator'),
    )
    await page.goto('/desk/work-items?kind=party_pair')
    const row = page.locator('[data-test=work-row]').first()
    await row.waitFor()
    assert.match((await row.textContent()) ?? '', /“.+”与/)
    await row.getByRole('link').click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '认领' }).click()
    const reason = drawer.getByLabel('判断理由')
    await reason.waitFor()
    await drawer.getByRole('button', { name: '不是同一对象' }).click()
    await drawer.getByText('请写明原因。').waitFor()
    await visit.look('a claimed pair')
    await reason.fill('不在本辖区')
    await drawer.getByRole('button', { name: '退回' }).click()
    await drawer.getByRole('button', { name: '认领' }).waitFor()
    await drawer.getByText('不在本辖区').first().waitFor()
  },

  async 'two parties made one by mistake are two again after the undo'(visit, world) {
    const { page } = visit
    const sheet = await handedIn(visit, world)
    const operator = world.accounts.find((one) => one.role === 'datahub_operator')
    const headers = { Authorization: `Bearer ${await tokenOf(visit, operator)}` }
    const find = async (typed, kind = '') => {
      const answer = await page.request.get(`/api/v1/registry/parties?limit=20${kind && `&kind=${kind}`}`, {
        headers: { ...headers, 'Mingjian-Search': encodeURIComponent(typed) },
      })
      return (await answer.json()).items
    }
    let wrong
    await visit.until('the search knows the new enterprise', async () => {
      wrong = (await find(sheet.word)).find((one) => one.name === sheet.goodName)
      return wrong !== undefined
    })
    const keep = (await find('', 'enterprise')).find((one) => one.id !== wrong.id)
    const merged = await page.request.post('/api/v1/registry/merges', {
      headers: { ...headers, 'Idempotency-Key': crypto.randomUUID() },
      data: { keep: keep.id, merge: wrong.id, reason: '看起来像' },
    })
    assert.equal(merged.status(), 201, await merged.text())
    await logIn(visit, operator)
    await page.goto('/desk/merges')
    const row = page.locator('[data-test=merge-row]').filter({ hasText: sheet.goodName }).first()
    await row.waitFor()
    assert.ok(((await row.textContent()) ?? '').includes(keep.name))
    await visit.look('merges')
    await row.getByRole('link', { name: /^撤销/ }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '撤销合并' }).click()
    await drawer.getByText('请写明原因。').waitFor()
    await visit.look('undoing a merge')
    await drawer.getByLabel('撤销理由').fill('代码不同，是两家')
    await drawer.getByRole('button', { name: '撤销合并' }).click()
    await drawer.waitFor({ state: 'hidden' })
    await row.getByText('已撤销', { exact: true }).waitFor()
    assert.equal((await find(sheet.word)).filter((one) => one.id === wrong.id).length, 1)
  },

  async 'an officer sees only what the role can use, and that the data is made up'(visit, world) {
    const { page } = visit
    await logIn(
      visit,
      world.accounts.find((one) => one.role === 'officer'),
    )
    await page.goto('/desk/parties')
    await page.locator('.topbar').getByText('演示数据').waitFor()
    const menu = page.locator('#sidebar')
    assert.equal(await menu.getByText('上报数据').count(), 0)
    assert.equal(await menu.getByText('数据批次').count(), 0)
    assert.equal(await menu.getByText('监管对象库').count(), 1)
    await page.locator('[data-test=party-row], .empty').first().waitFor()
    await visit.look('parties as an officer')
  },

  async 'with the keyboard alone: skip link first, and leaving ends the session'(visit, world) {
    const { page } = visit
    await enter(visit, world)
    await page.goto('/desk/datahub')
    await page.getByRole('heading', { level: 1, name: '数据汇聚总览' }).waitFor()
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), '跳到正文')
    await page.locator('.account > button').click()
    await page.getByRole('button', { name: '退出登录' }).click()
    await page.getByText('您已退出登录。').waitFor()
    await page.goto('/desk/parties')
    await page.getByRole('heading', { level: 1, name: '登录' }).waitFor()
  },
}
