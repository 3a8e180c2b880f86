// Rights given by two, rights seen from both sides, a masked value revealed for a moment, and two hundred
// scripts that stay text.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { call, PAYLOADS, signIn } from './session.mjs'

export const stories = {
  'a privileged role is asked for by one administrator and given by another': async (visit, world) => {
    const { page } = visit
    await signIn(visit, world, 'sec-admin')
    const found = await call(page, 'GET', '/access/accounts#liu.xinming')
    const account = found.body.items[0]
    const asked = await call(page, 'POST', '/access/grant-requests', {
      account_id: account.id,
      role: 'datahub_operator',
      areas: ['370400'],
      reason: `接替数据汇聚岗位（${world.size.width}）`,
    })
    assert.equal(asked.status, 201, JSON.stringify(asked.body))
    // it stands on the account's page, so that nobody asks a second time
    await page.goto(`/desk/accounts/${account.id}`)
    const waits = page.locator('[data-test=waiting-grant]').first()
    await waits.getByText(/授予“数据汇聚管理员”等另一名管理员确认：.*提出，.*前不确认即作废/).waitFor()
    await visit.look('a grant that waits, on the account’s page')
    await waits.getByRole('link', { name: '查看申请' }).click()
    await page.getByRole('heading', { level: 1, name: '授权与解锁申请' }).waitFor()
    const own = page.locator('[data-test=grant-request]').first()
    await own.getByText('您提出的，须由另一人确认').waitFor()
    assert.equal(await own.getByRole('button', { name: '确认授予' }).count(), 0, 'not by who asked')
    await visit.look('a request of one’s own')

    visit.expectStatus(401)
    await signIn(visit, world, 'audit-admin')
    // whose word is waited for reads it on the first page
    await page.goto('/desk/home')
    const waiting = page.getByRole('link', { name: /件授权申请等您确认/ })
    const before = Number.parseInt((await waiting.innerText()).replace(/\D/g, ''), 10)
    await waiting.click()
    await page.getByRole('heading', { level: 1, name: '授权与解锁申请' }).waitFor()
    const row = page.locator('[data-test=grant-request]').first()
    await row.getByRole('button', { name: '确认授予' }).click()
    await page.getByLabel('理由').fill('已核对岗位任命文件')
    await visit.look('confirming')
    await page.locator('.el-drawer').getByRole('button', { name: '确认授予' }).click()
    await row.getByText('已确认').waitFor()
    await page.goto('/desk/home')
    await page.getByRole('heading', { level: 2, name: '需要留意' }).waitFor()
    const left = (await waiting.allInnerTexts()).map((text) => Number.parseInt(text.replace(/\D/g, ''), 10))
    assert.deepEqual(left, before > 1 ? [before - 1] : [], 'what was decided waits no longer')
    await page.goto(`/desk/accounts/${account.id}/sight`)
    await page.getByRole('heading', { level: 1, name: /此人能看到什么/ }).waitFor()
    await page.getByText('发放来源令牌').first().waitFor()
    await visit.look('what a person may see')
  },

  'a locked account is opened again by two administrators, and the auditor finds every try': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const drawer = page.getByRole('dialog')
    const mark = `（${world.size.width}）`
    await signIn(visit, world, 'sys-admin')
    const login = `locked.${Date.now()}`
    const made = await call(page, 'POST', '/access/accounts', { login, name: `锁定${mark}`, reason: '试' })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const password = '山亭-的-核桃-熟了-2026'
    const { activation_code: code, id } = made.body
    const enrolled = await call(page, 'POST', '/enrolments', { code, login, password, name: '某' })
    assert.equal(enrolled.status, 201, JSON.stringify(enrolled.body))
    for (let tries = 0; tries < 5; tries++) {
      const wrong = await call(page, 'POST', '/sessions', { login, password: '猜的密码不会对2026' })
      assert.equal(wrong.status, 401)
    }
    const path = `/desk/accounts/${id}`
    await page.goto(path)
    const lock = page.locator('[data-test=account-lock]')
    await lock.getByText(/密码输错次数过多，账号锁定到/).waitFor()
    await lock.getByText('连续第 1 次锁定').waitFor()
    await visit.look('a locked account')
    await lock.getByRole('button', { name: '申请解除锁定' }).click()
    await drawer.getByRole('button', { name: '申请解除锁定' }).click()
    await drawer.getByText('请写明原因').first().waitFor()
    await visit.look('asking without a reason')
    await drawer.getByLabel('理由').fill(`本人来电，已核实身份${mark}`)
    await drawer.getByRole('button', { name: '申请解除锁定' }).click()
    await lock.getByText('等安全管理员批准').waitFor()
    assert.equal(await lock.getByRole('button').count(), 0, 'asked once')
    await page.goto('/desk/grant-requests')
    const row = page.locator('[data-test=unlock-request]').filter({ hasText: mark }).first()
    await row.getByText('您提出的，须由安全管理员批准').waitFor()
    assert.equal(await row.getByRole('button', { name: '批准' }).count(), 0, 'never both')
    await visit.look('a request of one’s own to unlock')

    await signIn(visit, world, 'sec-admin')
    await page.goto(path)
    await lock.getByText(/账号锁定到/).waitFor()
    assert.equal(await lock.getByRole('button').count(), 0, 'the other half is the other’s')
    await lock.getByRole('link', { name: '查看申请' }).click()
    await row.waitFor()
    const { y } = await row.boundingBox()
    assert.ok(y < world.size.height, 'what waits is seen at once')
    await row.getByRole('button', { name: '批准' }).click()
    await drawer.getByRole('button', { name: '批准' }).click()
    await drawer.getByText('请写明原因').first().waitFor()
    await drawer.getByLabel('理由').fill('已电话核实')
    await visit.look('approving an unlock')
    await drawer.getByRole('button', { name: '批准' }).click()
    await row.getByText('已批准，已解锁').waitFor()
    await page.goto(path)
    await page.locator('[data-test=account-tries]').getByText('没有锁定').waitFor()
    await page.locator('[data-test=act]').filter({ hasText: '批准解除锁定' }).first().waitFor()

    // a new code for an account in use: asked, approved, fetched once
    await signIn(visit, world, 'sys-admin')
    await page.goto(path)
    await page.getByRole('button', { name: '申请重发启用码' }).click()
    await drawer.getByLabel('理由').fill(`本人到场，忘记密码${mark}`)
    await drawer.getByRole('button', { name: '申请重发启用码' }).click()
    const reset = page.locator('[data-test=account-reset]')
    await reset.getByText('等安全管理员批准').waitFor()
    await signIn(visit, world, 'sec-admin')
    await page.goto('/desk/home')
    await page.getByRole('link', { name: /件解锁或重置申请等您批准/ }).click()
    const forgot = page
      .locator('[data-test=unlock-request]')
      .filter({ hasText: `忘记密码${mark}` })
      .first()
    await forgot.getByRole('button', { name: '批准' }).click()
    await drawer.getByLabel('理由').fill('已核对证件')
    await drawer.getByRole('button', { name: '批准' }).click()
    await forgot.getByText(/已批准，待领取代码/).waitFor()
    await visit.look('requests to unlock and to reset')
    await signIn(visit, world, 'sys-admin')
    await page.goto(path)
    await reset.getByText('已获批准').waitFor()
    await visit.look('an approved reset')
    await page.getByRole('button', { name: '领取启用码' }).click()
    await page.getByText('只显示这一次').waitFor()
    await page.getByRole('button', { name: '我已交给本人' }).click()
    await page.getByRole('button', { name: '申请重发启用码' }).waitFor()

    await signIn(visit, world, 'audit-admin')
    await page.goto(path)
    await page.getByRole('heading', { level: 1 }).waitFor()
    assert.equal(await page.locator('[data-test=account-tries]').count(), 0, 'not the auditor’s to end')
    await page.goto('/desk/login-failures')
    const tried = page.locator('[data-test=login-failure]').filter({ hasText: login })
    await tried.first().waitFor()
    await visit.look('failed tries')
    await page.getByLabel('日期').fill('2020-01-01')
    await page.getByText('没有登录失败记录').waitFor()
  },

  'somebody opens what they may not, and the auditor finds it with its entry of the log': async (
    visit,
    world,
  ) => {
    const { page } = visit
    await signIn(visit, world, 'sys-admin')
    const login = `curious.${Date.now()}`
    const made = await call(page, 'POST', '/access/accounts', { login, name: '好奇', reason: '试' })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const { activation_code: code, id } = made.body
    const password = '山亭-的-核桃-熟了-2026'
    const enrolled = await call(page, 'POST', '/enrolments', { code, login, password, name: '好奇' })
    assert.equal(enrolled.status, 201, JSON.stringify(enrolled.body))
    const curious = { ...world, accounts: [{ login, password }] }
    await signIn(visit, curious, login)
    visit.expectStatus(403)
    for (let tries = 0; tries < 3; tries++) {
      const refused = await call(page, 'GET', `/access/accounts/${id}`)
      assert.equal(refused.status, 403, JSON.stringify(refused.body))
    }
    // the page of the record itself is the auditor's alone: it is not even asked for, and who asks by hand is refused
    await page.goto('/desk/refusals')
    await page.locator('[data-test=no-right]').waitFor()
    const asked = await call(page, 'GET', '/access/refusals')
    assert.equal(asked.status, 403, JSON.stringify(asked.body))

    await signIn(visit, world, 'audit-admin')
    await page.goto('/desk/refusals')
    const rows = page.locator('[data-test=refusal]')
    await rows.first().waitFor()
    await page.getByRole('searchbox', { name: '账号' }).fill(login)
    await page.getByRole('button', { name: '查找' }).click()
    const own = rows.filter({ hasText: login })
    const account = own.filter({ hasText: '查看账号' }).filter({ hasText: '无权' })
    await account.waitFor()
    await own.filter({ hasText: '查看拒绝记录' }).waitFor()
    const isAlone = async () => (await rows.count()) === (await own.count())
    await visit.until('nobody else is listed', isAlone)
    await visit.look('what was refused')
    await account.getByRole('link', { name: /第 \d+ 条/ }).click()
    await page.getByText('操作被拒绝').first().waitFor()
    await visit.look('its entry in the log')
    await page.goto('/desk/refusals?day=2020-01-01')
    await page.getByText('没有符合条件的拒绝记录').waitFor()
    await visit.look('nothing refused')
  },

  'a grant held to lines of items reads the same in the form, to the second person and on every page': async (
    visit,
    world,
  ) => {
    const { page } = visit
    await signIn(visit, world, 'sys-admin')
    const login = `lines.${Date.now()}`
    const made = await call(page, 'POST', '/access/accounts', { login, name: '温条线', reason: '新进人员' })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const path = `/desk/accounts/${made.body.id}`
    await signIn(visit, world, 'sec-admin')
    await page.goto(path)
    await page.getByRole('button', { name: '授予角色' }).click()
    const drawer = page.getByRole('dialog')
    const select = async (name, option) => {
      await drawer.getByRole('combobox', { name, exact: true }).click({ force: true })
      await page.getByRole('option', { name: option }).click()
    }
    const give = drawer.getByRole('button', { name: '授予角色' })
    await give.click()
    const said = drawer.getByRole('alert').filter({ hasText: /请选择角色。.*请写明原因/ })
    await visit.until('what is wrong stands where one looks', () =>
      said.evaluate((one) => {
        const { top, bottom } = one.getBoundingClientRect()
        return top >= 0 && bottom <= window.innerHeight
      }),
    )
    await drawer.getByLabel('授权理由').fill(`专管两条条线（${world.size.width}）`)
    await give.click()
    await drawer.getByText('请选择角色。').first().waitFor()
    await select('角色', '数据汇聚管理员')
    await drawer.getByLabel('行政区划').fill('370402')
    await select('监管事项', '只限选定的条线')
    await give.click()
    await drawer.getByText('请至少选一条条线').first().waitFor()
    const box = drawer.getByRole('combobox', { name: '事项条线' })
    await box.fill('没有这样的')
    await drawer.getByText('目录里没有代码或名称含“没有这样的”的条线').first().waitFor()
    await visit.look('a line that is none')
    await give.click()
    await drawer.getByRole('alert').waitFor()
    // from the keyboard alone: by name, by code, one taken away again
    await box.fill('市场监督')
    await box.press('Enter')
    const chosen = drawer.locator('[data-test=line-chosen]')
    await chosen.filter({ hasText: '31 市场监督管理部门' }).waitFor()
    await box.press('ArrowDown')
    const second = await drawer.locator('[data-test=line-option]').nth(1).innerText()
    await visit.look('choosing lines of items')
    await box.press('Enter')
    await chosen.filter({ hasText: second }).waitFor()
    await box.press('ArrowDown')
    await box.press('Enter')
    assert.equal(await chosen.count(), 3)
    await box.press('Backspace')
    assert.equal(await chosen.count(), 2)
    await box.press('Escape')
    await drawer.getByLabel('到哪一日为止').fill('2031-06-30')
    const whole = ['31 市场监督管理部门', second, '遮挡显示', '2031-06-30']
    const says = async (place, parts = whole) => {
      await place.waitFor()
      const text = await place.innerText()
      for (const part of parts) assert.ok(text.includes(part), `${part}: ${text}`)
    }
    await says(drawer.locator('[data-test=grant-preview]'))
    await visit.look('what a grant will give')
    visit.expectStatus(403)
    await give.click()
    await page.getByText('这是特权角色，已提交申请').waitFor()

    await signIn(visit, world, 'audit-admin')
    await page.goto('/desk/grant-requests')
    const row = page
      .locator('[data-test=grant-request]')
      .filter({ hasText: `（${world.size.width}）` })
      .first()
    await says(row)
    await visit.look('requests with their lines')
    await row.getByRole('button', { name: '确认授予' }).click()
    await says(drawer.locator('[data-test=grant-preview]'))
    await visit.look('confirming a grant with its lines')
    await page.getByLabel('理由').fill('已核对任命文件')
    await drawer.getByRole('button', { name: '确认授予' }).click()
    await row.getByText('已确认').waitFor()
    await page.goto(path)
    await says(page.locator('[data-test=grant]').first())
    const act = page.locator('[data-test=act]').filter({ hasText: '确认授予“数据汇聚管理员”' })
    await says(act)
    await visit.look('an account with its lines')
    await act.getByRole('link').click()
    await page.getByText('确认授予“数据汇聚管理员”').first().waitFor()
    await says(page.locator('dl.what'))
    await page.goto(`${path}/sight`)
    await says(page.locator('[data-test=sight-grant]').first())
    await page
      .locator('.place')
      .filter({ hasText: /只限 .*31 市场监督管理部门/ })
      .first()
      .waitFor()
    await visit.look('what a person held to lines may see')
    await page.goto(`/desk/accounts?q=${login}`)
    await says(page.locator('[data-test=account-row]').first())
  },

  'a clerk sees who may see a record, and looks at one masked value for a moment': async (visit, world) => {
    const { page } = visit
    await signIn(visit, world, 'city-clerk')
    const parties = await call(page, 'GET', '/registry/parties?limit=60')
    let found
    for (const one of parties.body.items) {
      const file = await call(page, 'GET', `/registry/parties/${one.id}`)
      const field = file.body.fields?.find((each) => each.masked && each.value)
      if (field) {
        found = { id: one.id, field }
        break
      }
    }
    assert.ok(found, 'the demonstration has a party with a masked value')
    await page.goto(`/desk/parties/${found.id}`)
    const button = page.getByRole('button', { name: `查看明文：${found.field.title}` }).first()
    await button.click()
    await page.getByText('页面上显示 30 秒后自动遮挡').waitFor()
    await page.getByLabel('为什么要查看').fill('核对处罚决定书送达地址')
    await visit.look('asking for a masked value')
    await page.locator('.el-drawer').getByRole('button', { name: '查看', exact: true }).click()
    const clear = page.locator('[data-test=clear]').first()
    await clear.waitFor()
    const value = await clear.innerText()
    assert.ok(value && !value.includes('*'), value)
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))
    assert.ok(!stored.includes(value), 'the browser keeps nothing of it')
    await page.clock.install()
    await page.reload()
    await page
      .getByRole('button', { name: `查看明文：${found.field.title}` })
      .first()
      .waitFor()
    assert.equal(await page.locator('[data-test=clear]').count(), 0, 'masked again')
    await page.goto(`/desk/records/party/${found.id}/readers`)
    await page.getByRole('heading', { level: 1, name: '谁能看到这条记录' }).waitFor()
    await page.locator('[data-test=reader]').first().waitFor()
    await visit.look('who may see it')
  },

  'one masked value is looked at for a moment in the same way wherever it stands, and by nobody else': async (
    visit,
    world,
  ) => {
    const { page } = visit
    await signIn(visit, world, 'city-clerk')
    const get = async (path) => (await call(page, 'GET', path)).body
    // an officer, an act in a person's file, a refused row, a doubtful pair: one of each with something masked
    let officer
    for (const one of (await get('/registry/officers?limit=100')).items) {
      const file = await get(`/registry/officers/${one.id}`)
      if (file.personal.length > 0) {
        officer = one
        break
      }
    }
    const people = (await get('/registry/parties?kind=person&limit=50')).items
    const acted = people.find((one) => one.act_count > 0)
    const entry = (await get(`/registry/parties/${acted.id}/timeline`)).items[0]
    const told = entry.summary.find((one) => one.masked && one.value)
    let refused
    for (const batch of (await get('/datahub/batches?limit=100')).items) {
      if (refused || !batch.counts.error) continue
      const rows = (await get(`/datahub/batches/${batch.id}/errors?limit=50`)).items
      const row = rows.find((one) => one.issues.some((issue) => issue.masked))
      if (row) refused = { batch: batch.id, issue: row.issues.find((issue) => issue.masked) }
    }
    assert.ok(officer && told && refused, 'the demonstration has one of each')
    const places = [
      { path: `/desk/officers/${officer.id}`, field: '联系电话', look: 'personal values of an officer' },
      {
        path: `/desk/leader/records/${entry.record.replace('.', '/')}`,
        field: told.title,
        look: 'personal values of a record',
      },
      {
        path: `/desk/datahub/batches/${refused.batch}?rule=${refused.issue.rule}`,
        field: refused.issue.column_title,
        look: 'a masked cell of a refused row',
      },
      { path: `/desk/parties/${acted.id}`, field: told.title, look: 'an act in a file', opens: '查看摘要' },
    ]
    await page.clock.install()
    for (const place of places) {
      await page.goto(place.path)
      const main = page.locator('main')
      if (place.opens) await main.locator('details summary').first().waitFor()
      if (place.opens) for (const one of await main.locator('.timeline summary').all()) await one.click()
      const button = main.getByRole('button', { name: `查看明文：${place.field}`, exact: true }).first()
      await button.waitFor()
      await visit.look(place.look)
      await button.click()
      await page.getByLabel('为什么要查看').fill('核对处罚决定书送达地址')
      await page.locator('.el-drawer').getByRole('button', { name: '查看', exact: true }).click()
      const clear = page.locator('[data-test=clear]')
      await clear.waitFor()
      const value = await clear.innerText()
      assert.ok(value && !value.includes('*'), value)
      await visit.look(`${place.look}, one in clear`)
      await page.clock.fastForward(31_000)
      await clear.waitFor({ state: 'detached' })
      await button.waitFor()
      assert.ok(!(await page.locator('body').innerText()).includes(value), 'masked again')
    }
    await page.goto(places[0].path)
    const acts = page.locator('[data-test=act]').filter({ hasText: '查看“联系电话”：核对处罚决定书送达地址' })
    await acts.first().waitFor()

    // who may read the page and has not the right sees the mask and no button
    await signIn(visit, world, 'region-leader')
    await page.goto(places[0].path)
    const masked = page.locator('[data-test=officer-personal]').first()
    await masked.getByText('已遮挡').waitFor()
    assert.equal(await page.getByRole('button', { name: /^查看明文/ }).count(), 0)
    await visit.look('an officer, masked for good')
  },

  'a department says which items the wording of its certificates stands for, on the page and with a reason':
    async (visit, world) => {
      const { page } = visit
      await signIn(visit, world, 'catalogue')
      await page.goto('/desk/officers/wordings')
      await page.getByRole('heading', { level: 1, name: '执法类别对应' }).waitFor()
      const coverage = page.locator('[data-test=wording-coverage]')
      const before = Number(/其中 ([\d,]+) 张/.exec(await coverage.innerText())[1].replace(/,/g, ''))
      await page.getByLabel('只看还没有对应的').check()
      const row = page.locator('[data-test=wording-row]').filter({ hasText: '登记对应' }).first()
      await row.getByText('还没有对应').waitFor()
      await visit.look('wordings that wait')
      const wording = await row.locator('th').innerText()
      await row.getByRole('button', { name: `登记对应：${wording}` }).click()
      const drawer = page.getByRole('dialog')
      await drawer.getByLabel('理由').fill('三定方案')
      await drawer.getByRole('button', { name: '登记对应' }).click()
      await drawer.getByText('请至少选一条事项条线。').first().waitFor()
      const box = drawer.getByRole('combobox', { name: '事项条线' })
      await box.fill('31')
      await box.press('Enter')
      await drawer.locator('[data-test=line-chosen]').filter({ hasText: '31 市场监督管理部门' }).waitFor()
      await drawer.getByLabel('从哪一日起').fill('2026-01-01')
      await visit.look('what a wording stands for')
      await drawer.getByRole('button', { name: '登记对应' }).click()
      await page.getByText('已登记').first().waitFor()
      await page.getByLabel('只看还没有对应的').uncheck()
      const mapped = page.locator('[data-test=wording-row]').filter({ hasText: wording }).first()
      await mapped
        .locator('[data-test=wording-line]')
        .filter({ hasText: /31 市场监督管理部门.*2026-01-01 起/ })
        .waitFor()
      const after = Number(/其中 ([\d,]+) 张/.exec(await coverage.innerText())[1].replace(/,/g, ''))
      assert.ok(after > before, `${before} → ${after}`)
      await visit.look('wordings, one of them mapped')
      await mapped.getByRole('button', { name: /^结束对应/ }).click()
      await drawer.getByLabel('到哪一日为止').fill('2026-01-01')
      await drawer.getByLabel('理由').fill('录错')
      await visit.look('ending what a wording stands for')
      await drawer.getByRole('button', { name: '结束', exact: true }).click()
      await page.getByText('已结束').first().waitFor()
      await visit.until('the coverage is as before', async () =>
        (await coverage.innerText()).includes(`其中 ${before.toLocaleString('en')} 张`),
      )
    },

  'a large export is asked for by one, approved by another, and taken once': async (visit, world) => {
    const { page } = visit
    visit.expectStatus(403)
    await signIn(visit, world, 'city-clerk')
    await page.goto('/desk/')
    await page.waitForURL('**/desk/home')
    const download = async () => {
      await page.goto('/desk/parties')
      await page.locator('[data-test=export]').click()
      await page.getByRole('button', { name: 'CSV' }).click()
    }
    await download()
    const drawer = page.locator('.el-drawer')
    await drawer.getByText('这次导出须另一人批准').waitFor()
    await drawer.getByRole('button', { name: '申请导出' }).click()
    await drawer.getByText('请写明原因').waitFor()
    await page.getByLabel('导出理由').fill('年度名录核对')
    await visit.look('asking for a large export')
    await drawer.getByRole('button', { name: '申请导出' }).click()
    await page.getByText('已提交申请，批准后再点一次导出即可下载').waitFor()
    await page.goto('/desk/export-requests')
    const first = page.locator('[data-test=export-request]').first()
    await first.getByText('您提出的，须由另一人批准').waitFor()

    await signIn(visit, world, 'region-leader')
    await page.goto('/desk/home')
    await page.getByRole('link', { name: /件导出申请等您批准/ }).click()
    await first.getByText('没有筛选').waitFor()
    await first.getByText('可看范围：').waitFor()
    await first.getByRole('button', { name: '批准' }).click()
    await page.getByLabel('理由').fill('已核对用途')
    await visit.look('approving a large export')
    await drawer.getByRole('button', { name: '批准', exact: true }).click()
    await first.getByText('已批准，待下载').waitFor()
    await visit.look('an approved export')

    await signIn(visit, world, 'city-clerk')
    const [file] = await Promise.all([page.waitForEvent('download'), download()])
    const lines = readFileSync(await file.path(), 'utf8')
      .trimEnd()
      .split('\n')
    assert.match(lines.at(-1), /^导出人：.*请勿外传/)
    assert.ok(lines.length > 1_000, `${lines.length} lines`)
    await page.goto('/desk/export-requests')
    await first.getByText('已下载').waitFor()
    await first.getByText('已核对用途').waitFor()
  },

  'who was away gives the password again, and the list is taken away without a second click': async (
    visit,
    world,
  ) => {
    const { page } = visit
    visit.expectStatus(403)
    await signIn(visit, world, 'city-clerk')
    // five minutes are longer than a story: the first answer is the one the server gives after them
    const again = { code: 'access.step_up_required', title: '请再次验证身份', status: 403 }
    const late = { status: 403, contentType: 'application/problem+json', body: JSON.stringify(again) }
    await page.route('**/officers/export', (route) => route.fulfill(late), { times: 1 })
    await page.goto('/desk/officers')
    await page.locator('[data-test=export]').click()
    await page.getByRole('button', { name: 'CSV' }).click()
    const dialog = page.getByRole('dialog').filter({ hasText: '密码' })
    await dialog.getByLabel('密码', { exact: true }).fill('wrong-password')
    visit.expectStatus(401)
    visit.expectStatus(422)
    await dialog.locator('button[type=submit]').click()
    await dialog.getByRole('alert').waitFor()
    await visit.look('the password once more')
    const account = world.accounts.find((one) => one.login === 'city-clerk')
    await dialog.getByLabel('密码', { exact: true }).fill(account.password)
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      dialog.locator('button[type=submit]').click(),
    ])
    assert.match(readFileSync(await file.path(), 'utf8'), /导出人：.*请勿外传/)
  },

  'two hundred scripts that people type stay text': async (visit, world) => {
    const { page } = visit
    assert.equal(PAYLOADS.length, 200)
    let dialogs = 0
    page.on('dialog', async (dialog) => {
      dialogs += 1
      await dialog.dismiss()
    })
    await signIn(visit, world, 'clerk')
    const made = []
    for (let at = 0; at < PAYLOADS.length; at += 50) {
      const post = await call(page, 'POST', '/portal/posts', {
        kind: 'news',
        title: `试验 ${PAYLOADS[at].slice(0, 60)}`,
        body: PAYLOADS.slice(at, at + 50).join('\n\n'),
      })
      assert.equal(post.status, 201, JSON.stringify(post.body))
      made.push(post.body.id)
    }
    for (const id of made) {
      await page.goto(`/desk/posts/${id}`)
      await page.getByText('试验').first().waitFor()
      assert.equal(await page.evaluate(() => window.__xss), undefined)
    }
    // what is searched for is shown again
    for (let at = 0; at < PAYLOADS.length; at += 25) {
      const q = encodeURIComponent(PAYLOADS[at])
      for (const path of [`/desk/parties?q=${q}`, `/search?q=${q}`]) {
        await page.goto(path)
        await page.waitForLoadState('load')
        assert.equal(await page.evaluate(() => window.__xss), undefined, PAYLOADS[at])
      }
    }
    await page.goto('/desk/posts')
    await page.getByText('试验').first().waitFor()
    assert.equal(await page.evaluate(() => window.__xss), undefined)
    assert.equal(dialogs, 0)
  },
}
