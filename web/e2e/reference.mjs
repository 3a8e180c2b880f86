// Stories of the reference pages: the first page, the one box, officers, people and rights, sources, catalogue,
// standard. In each somebody changes something and another account sees it.
import assert from 'node:assert/strict'
import { linesOf } from './session.mjs'

const role = (world, name) => {
  const found = world.accounts.find((one) => one.role === name)
  assert.ok(found, `the demonstration has no ${name}`)
  return found
}

async function enter(visit, account) {
  const { page } = visit
  // the browser still believes in the session before: it asks once and is told
  visit.expectStatus(401)
  await visit.context.clearCookies()
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.getByRole('textbox', { name: '密码' }).fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.getByRole('heading', { level: 1, name: '工作台' }).waitFor()
}

/** What a program of this account would be told. */
async function ask(visit, account, path) {
  const opened = await visit.page.request.post('/api/v1/sessions', {
    data: { login: account.login, password: account.password },
  })
  const { token } = await opened.json()
  const [asked, typed = ''] = path.split('#')
  const answer = await visit.page.request.get(`/api/v1${asked}`, {
    headers: { Authorization: `Bearer ${token}`, 'Mingjian-Search': encodeURIComponent(typed) },
  })
  await visit.context.clearCookies()
  return answer
}

/** The reason that every change wants, and the button that does it. */
async function because(page, reason, button) {
  const drawer = page.getByRole('dialog').last()
  await drawer
    .getByRole('textbox', { name: /理由|原因/ })
    .last()
    .fill(reason)
  await drawer.getByRole('button', { name: button, exact: true }).click()
  return drawer
}

export const stories = {
  'the day begins at one page, and what was opened last is there again on another device': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const operator = role(world, 'datahub_operator')
    const parties = await (await ask(visit, operator, '/registry/parties?limit=1')).json()
    const party = parties.items[0]
    await enter(visit, operator)
    await page.getByRole('heading', { name: '我的待办' }).waitFor()
    await page.getByRole('heading', { name: '数据问题' }).waitFor()
    await visit.look('home of an operator')
    const told = Number(
      ((await page.locator('[data-test=work-open]').textContent()) ?? '').replaceAll(',', ''),
    )
    const open = await page.evaluate(async () => {
      let count = 0
      let cursor = ''
      do {
        const answer = await fetch(
          `/api/v1/flow/work-items?state=open&limit=500&cursor=${encodeURIComponent(cursor)}`,
        )
        const list = await answer.json()
        count += list.items.length
        cursor = list.next_cursor ?? ''
      } while (cursor)
      return count
    })
    assert.equal(told, open, 'the count equals the list')
    await page.goto(`/desk/parties/${party.id}`)
    await page.getByRole('heading', { level: 1, name: party.name }).waitFor()
    await enter(visit, operator)
    await page.locator('[data-test=recent]').filter({ hasText: party.name }).first().waitFor()
    await enter(visit, role(world, 'sys_admin'))
    await page.getByRole('heading', { name: '需要留意' }).waitFor()
    assert.equal(
      await page.getByRole('heading', { name: '我的待办' }).count(),
      0,
      'an administrator has no business',
    )
    await visit.look('home of an administrator')
  },

  'anything is found from the keyboard in one box, and nothing outside one’s scope': async (visit, world) => {
    const { page } = visit
    const clerk = role(world, 'clerk')
    const operator = role(world, 'datahub_operator')
    const officers = await (await ask(visit, operator, '/registry/officers?limit=200')).json()
    const foreign = officers.items.find((one) => one.agency && one.agency !== clerk.agency)
    await enter(visit, operator)
    const box = page.locator('[data-test=find]:visible').last()
    if (world.size.width > 900) {
      await page.locator('h1').click()
      await page.keyboard.press('/')
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'find')
    }
    await box.fill(foreign.certificates[0].certificate_no)
    await page.locator('[data-test=hit]:visible').filter({ hasText: foreign.name }).first().waitFor()
    await visit.look('search with hits')
    await box.press('ArrowDown')
    await box.press('Enter')
    await page.getByRole('heading', { level: 1, name: foreign.name }).waitFor()
    await page.getByText('近一年').first().waitFor()
    await visit.look('one officer')
    await page.goto('/desk/home')
    for (const odd of ['%', '\'"; --', '🦊', '长'.repeat(10000)]) {
      await box.fill(odd)
      await page
        .getByText(/没有找到|找到 \d+ 项/)
        .last()
        .waitFor()
    }
    await visit.look('search without hits')
    await box.press('Escape')
    await box.fill('执法证号')
    await page.locator('[data-test=hit]:visible').first().waitFor()
    await box.press('Enter')
    await page.waitForURL(/standard\/.*#col-/)
    await enter(visit, clerk)
    await box.fill(foreign.certificates[0].certificate_no)
    await page
      .getByText(/没有找到/)
      .last()
      .waitFor()
  },

  'a supervisor suspends a certificate; its own agency sees why and gives it back': async (visit, world) => {
    const { page } = visit
    const admin = role(world, 'dept_admin')
    const own = await (await ask(visit, admin, '/registry/officers?standing=in_force')).json()
    const officer = own.items[0]
    assert.ok(officer, 'the agency has officers in force')
    await enter(visit, role(world, 'supervisor'))
    await page.goto('/desk/officers')
    await page.locator('[data-test=officer-row]').first().waitFor()
    await visit.look('officers')
    await page.locator('[data-test=standing-expiring]').click()
    await page.waitForURL(/standing=expiring/)
    await page.goto('/desk/officers/coverage')
    await page.locator('[data-test=coverage-row]').first().waitFor()
    await visit.look('coverage')
    await page.goto(`/desk/officers/${officer.id}`)
    await page.getByRole('button', { name: '暂停使用' }).first().click()
    await page.getByRole('dialog').getByRole('button', { name: '暂停使用' }).click()
    await page.getByText('请写明原因。').waitFor()
    await visit.look('suspending a certificate')
    const reason = `调查期间暂停 ${Date.now()}`
    await because(page, reason, '暂停使用')
    await page.getByText(reason).first().waitFor()
    await enter(visit, admin)
    await page.goto('/desk/officers?standing=suspended')
    await page
      .locator('[data-test=officer-row]')
      .filter({ hasText: officer.certificates[0].certificate_no })
      .getByRole('link')
      .first()
      .click()
    await page.getByText(reason).first().waitFor()
    await page.getByRole('button', { name: '恢复使用' }).first().click()
    await because(page, '查无实据', '恢复使用')
    await page
      .getByText(/恢复：查无实据/)
      .first()
      .waitFor()
  },

  'one administrator opens an account, another gives it a role, a third reads who and why': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const login = `e2e.${Date.now()}`
    await enter(visit, role(world, 'sys_admin'))
    await page.goto('/desk/accounts')
    await page.locator('[data-test=account-row]').first().waitFor()
    await visit.look('accounts')
    await page.getByRole('button', { name: '开设账号' }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByLabel('姓名').fill('温新人')
    await drawer.getByLabel('登录名').fill(login)
    await visit.look('opening an account')
    await because(page, '新进人员', '开设账号')
    const code = ((await page.locator('[data-test=one-time-code]').textContent()) ?? '').trim()
    assert.ok(code.length > 10, 'a one-time code')
    await visit.look('a one-time code')
    await page.getByRole('button', { name: '我已交给本人' }).click()
    const accounts = await (await ask(visit, role(world, 'sys_admin'), `/access/accounts#${login}`)).json()
    const id = accounts.items[0].id
    const password = '温故知新-石榴-七次-2026'
    const made = await page.request.post('/api/v1/enrolments', {
      headers: { 'Idempotency-Key': crypto.randomUUID() },
      data: { code, login, password },
    })
    assert.equal(made.status(), 201, await made.text())
    await enter(visit, role(world, 'sec_admin'))
    await page.goto(`/desk/accounts/${id}`)
    await page.getByRole('button', { name: '授予角色' }).click()
    await page.getByRole('combobox', { name: '角色', exact: true }).click({ force: true })
    await page.getByRole('option', { name: '经办人' }).click()
    await page.getByRole('dialog').getByLabel('行政区划').fill('370402')
    await visit.look('granting a role')
    await because(page, '承担数据上报', '授予角色')
    await page.locator('[data-test=grant]').filter({ hasText: '经办人' }).waitFor()
    const person = { login, password }
    await enter(visit, person)
    await page.goto('/desk/parties')
    await page.getByRole('heading', { level: 1, name: '监管对象库' }).waitFor()
    const cookies = await visit.context.cookies()
    await enter(visit, role(world, 'sys_admin'))
    await page.goto(`/desk/accounts/${id}`)
    await page.locator('[data-test=session]').first().waitFor()
    await visit.look('one account')
    await page.getByRole('button', { name: '停用账号' }).click()
    await because(page, '试用期未通过', '停用账号')
    await page.getByText('已停用').first().waitFor()
    await visit.context.clearCookies()
    await visit.context.addCookies(cookies)
    visit.expectStatus(401)
    await page.goto('/desk/parties')
    await page.getByRole('heading', { level: 1, name: '登录' }).waitFor()
    await enter(visit, role(world, 'audit_admin'))
    await page.goto(`/desk/accounts/${id}`)
    await page.locator('[data-test=act]').filter({ hasText: '试用期未通过' }).waitFor()
    await page.locator('[data-test=act]').filter({ hasText: '承担数据上报' }).waitFor()
    assert.equal(await page.getByRole('button', { name: '授予角色' }).count(), 0)
    await page.goto('/desk/agencies')
    await page.locator('[data-test=agency-row]').first().waitFor()
    await visit.look('agencies')
    await page.locator('[data-test=agency-row]').first().getByRole('link').click()
    await page.getByRole('heading', { name: '下级部门' }).waitFor()
    await visit.look('one agency')
  },

  'an operator registers a system that is late; a supervisor sees it, and the day its token ends': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const code = `370400_e2e${Date.now() % 1e8}`
    await enter(visit, role(world, 'datahub_operator'))
    await page.goto('/desk/datahub/sources')
    await page.locator('[data-test=source-row]').first().waitFor()
    await visit.look('sources')
    await page.getByRole('button', { name: '登记数据来源' }).click()
    const drawer = page.getByRole('dialog')
    await drawer.getByLabel('来源编码').fill(code)
    await page.getByRole('combobox', { name: '责任部门' }).click({ force: true })
    const agency = page.getByRole('option', { name: '枣庄市应急管理局', exact: true })
    await agency.click()
    // a list that is still closing takes the next click
    await agency.waitFor({ state: 'hidden' })
    await drawer.getByLabel('系统名称').fill('危化品监测预警系统')
    await page.getByRole('combobox', { name: '阶段' }).click({ force: true })
    await page.getByRole('option', { name: '计划接入' }).click()
    await drawer.getByLabel('应接日期').fill('2026-01-31')
    await visit.look('registering a source')
    await because(page, '应接尽接清单', '登记数据来源')
    await page.getByRole('heading', { level: 1, name: /危化品监测预警系统/ }).waitFor()
    await page.getByRole('button', { name: '发放令牌' }).click()
    const token = ((await page.locator('[data-test=one-time-code]').textContent()) ?? '').trim()
    assert.match(token, /^mjk_/)
    await page.getByRole('button', { name: '我已抄录' }).click()
    await page.reload()
    await page.locator('[data-test=token]').first().waitFor()
    assert.equal((await page.content()).includes(token), false, 'a token is shown once')
    await visit.look('one source')
    await enter(visit, role(world, 'supervisor'))
    await page.goto('/desk/datahub/sources?standing=overdue')
    await page.locator('[data-test=source-row]').filter({ hasText: code }).getByText('逾期未接').waitFor()
    assert.equal(await page.getByRole('button', { name: '登记数据来源' }).count(), 0)
    await enter(visit, role(world, 'datahub_operator'))
    await page.goto(`/desk/datahub/sources/${code}`)
    await page.getByRole('button', { name: '作废令牌' }).click()
    await because(page, '系统未上线', '作废令牌')
    await page.locator('[data-test=token]').filter({ hasText: '作废' }).waitFor()
    await page.locator('[data-test=act]').filter({ hasText: '系统未上线' }).waitFor()
  },

  'an item says what was in force that day and who implements it; a mapping is entered and seen': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const manager = role(world, 'catalogue_manager')
    await enter(visit, manager)
    await page.goto('/desk/catalog/items?kind=sub&state=in_use')
    await page.locator('[data-test=item-row]').first().waitFor()
    await visit.look('items')
    const item = await (await ask(visit, manager, '/catalog/items?kind=sub&state=in_use&limit=1')).json()
    const { item_code: code, name } = item.items[0]
    await enter(visit, manager)
    await page.goto(`/desk/catalog/items/${code}`)
    await page.getByRole('heading', { level: 1, name }).waitFor()
    await page.getByText(/有效$/).first().waitFor()
    await visit.look('one item')
    await page.locator('[data-test=as-of]').fill('1990-01-01')
    await page.waitForURL(/as_of=1990-01-01/)
    await page.getByText('1990-01-01 无效').waitFor()
    await page.goto('/desk/catalog/implementations?as_of=nonsense')
    await page.locator('[data-test=implementation]').first().waitFor()
    await visit.look('implementation lists')
    const operator = role(world, 'datahub_operator')
    await enter(visit, operator)
    await page.goto('/desk/catalog/mappings?source=370400_31')
    await page.getByRole('button', { name: '登记对应' }).first().click()
    const local = `SCJG-${Date.now() % 1e8}`
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '登记对应' }).click()
    await drawer.getByText('请填写本地编码。').waitFor()
    await drawer.getByLabel('本地编码').fill(local)
    await drawer.getByLabel('监管事项').fill(code)
    await visit.look('entering a mapping')
    await drawer.getByRole('button', { name: '登记对应' }).click()
    await page.locator('[data-test=mapping-row]').filter({ hasText: local }).waitFor()
    await enter(visit, manager)
    await page.goto(`/desk/catalog/mappings?source=370400_31&q=${local}`)
    await page.locator('[data-test=mapping-row]').filter({ hasText: local }).getByText(name).waitFor()
    await visit.look('mappings')
    const lines = await linesOf(page)
    assert.equal(lines[0], '本地编码,监管事项,编码,有效期间')
    assert.equal(lines.length, 3, 'the one that is seen, and whose copy it is')
    assert.ok(lines[1]?.startsWith(`${local},${name},${code},`), lines[1])
  },

  'a field is found over all tables, a code list tells its values, and a sample is at hand': async (
    visit,
    world,
  ) => {
    const { page } = visit
    await enter(visit, role(world, 'clerk'))
    await page.goto('/desk/datahub/fields')
    await page.locator('[data-test=field-search]').fill('执法证号')
    await page.locator('[data-test=field-row]').first().waitFor()
    await visit.look('fields found')
    await page.locator('[data-test=field-row]').first().getByRole('link').first().click()
    await page.waitForURL(/#col-/)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: '样例（CSV）' }).click(),
    ])
    assert.match(download.suggestedFilename(), /_sample\.csv$/)
    await page.goto('/desk/datahub/code-lists')
    await page.locator('[data-test=list-row]').first().waitFor()
    await visit.look('code lists')
    await page.locator('[data-test=list-row]').first().getByRole('link').click()
    await page.getByRole('heading', { name: '使用它的字段' }).waitFor()
    await visit.look('one code list')
  },

  'by night the pages are dark and still read well; the device remembers': async (visit, world) => {
    const { page } = visit
    await enter(visit, role(world, 'datahub_operator'))
    await page.locator('.account > button').click()
    await page.getByLabel('外观').selectOption('dark')
    await page.keyboard.press('Escape')
    const pages = [
      '/home',
      '/officers',
      '/officers/coverage',
      '/agencies',
      '/datahub/sources',
      '/datahub/sources/370400_31',
    ]
    const more = [
      '/catalog/items',
      '/datahub/fields?q=执法证号',
      '/datahub',
      '/datahub/batches',
      '/parties',
      '/work-items',
    ]
    for (const path of [...pages, ...more]) {
      await page.goto(`/desk${path}`)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
      await page.locator('.loaded, table, .empty, .lines').first().waitFor()
      await visit.look(`dark ${path}`)
    }
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark')
  },
}
