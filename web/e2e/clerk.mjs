// Stories of the clerk's workbench: lists, repair, the review queue, many items at once, drafts, presence, and what
// goes wrong. In each somebody changes something and a second account sees it.
import assert from 'node:assert/strict'
import { linesOf } from './session.mjs'
import { newUscc, spoiled } from './sheet.mjs'

const TABLE = 'object_enterprise'
export const PEOPLE = { operator: 'datahub_operator', reader: 'supervisor' }

export const personOf = (world, role) => world.accounts.find((one) => one.role === role)

export async function signIn(page, account) {
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.getByLabel('密码', { exact: true }).fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.waitForURL((url) => !url.pathname.includes('/login'))
}

/** A second person at another machine, while the first one's page stays open. */
export async function colleague(visit, account) {
  const context = await visit.context.browser().newContext({
    baseURL: visit.base,
    viewport: visit.page.viewportSize(),
    locale: 'zh-CN',
    timezoneId: 'UTC',
  })
  const page = await context.newPage()
  await signIn(page, account)
  return { page, end: () => context.close() }
}

/** Somebody who calls the API as a program would, for what a story needs done beforehand. */
export async function program(visit, world, role) {
  const account = personOf(world, role)
  const context = await visit.context.browser().newContext({ baseURL: world.base })
  const { request } = context
  const opened = await request.post('/api/v1/sessions', {
    data: { login: account.login, password: account.password },
  })
  const { token } = await opened.json()
  const headers = { Authorization: `Bearer ${token}` }
  return {
    get: async (path) => (await request.get(`/api/v1${path}`, { headers })).json(),
    post: async (path, data) => {
      const answer = await request.post(`/api/v1${path}`, {
        headers: { ...headers, 'Idempotency-Key': crypto.randomUUID() },
        data,
      })
      return { status: answer.status(), body: await answer.json().catch(() => null) }
    },
    send: async (query, csv) => {
      const answer = await request.post(`/api/v1/datahub/batches/file?${new URLSearchParams(query)}`, {
        headers: {
          ...headers,
          'Idempotency-Key': crypto.randomUUID(),
          'Content-Type': 'application/octet-stream',
        },
        data: Buffer.from(csv, 'utf8'),
      })
      assert.equal(answer.status(), 202, await answer.text())
      return answer.json()
    },
    end: () => context.close(),
  }
}

/** Enterprises of which five have an organisation class that does not exist, and one of them a wrong code, too. */
function faultySheet() {
  const stamp = `${Date.now()}${Math.floor(Math.random() * 1e5)}`
  const lines = ['主体身份代码,统一社会信用代码,企业名称,组织类别,法定代表人,住所,成立日期']
  for (let n = 0; n < 7; n += 1) {
    const code = n === 4 ? spoiled(newUscc()) : newUscc()
    const kind = n < 5 ? '88' : '11'
    lines.push(
      `V1${stamp}${n},${code},枣庄核对${stamp.slice(-6)}第${n}商贸有限公司,${kind},李明,山东省枣庄市市中区文化路 ${n} 号,2016-05-18`,
    )
  }
  return `${lines.join('\r\n')}\r\n`
}

export async function sourceFor(api, channel) {
  const { items } = await api.get('/datahub/sources')
  const found = items.find(
    (one) =>
      one.status !== 'stopped' &&
      (one.channels.length === 0 || one.channels.includes(channel)) &&
      (one.tables.length === 0 || one.tables.includes(TABLE)),
  )
  assert.ok(found, `a source that may deliver ${TABLE} by ${channel}`)
  return found
}

export async function faultyBatch(visit, world) {
  const api = await program(visit, world, PEOPLE.operator)
  const source = await sourceFor(api, 'file')
  const query = { table: TABLE, cd_source: source.cd_source }
  const { batch_id } = await api.send(query, faultySheet())
  await visit.until(
    'the batch is settled',
    async () => (await api.get(`/datahub/batches/${batch_id}`)).state === 'settled',
  )
  await api.end()
  return batch_id
}

export const rowsOf = (page, name) => page.locator(`[data-test=${name}]`)
export const textOf = async (locator) => ((await locator.textContent()) ?? '').trim()

export const stories = {
  async 'the same fault in many rows is mended once by a rule that was looked at, and a colleague sees who did it'(
    visit,
    world,
  ) {
    const { page } = visit
    const batch = await faultyBatch(visit, world)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/datahub/repairs')
    const mine = rowsOf(page, 'repair-row').first()
    await mine.waitFor()
    assert.match(await textOf(mine), /剩 \d+ 天|今日到期|逾期/)
    await visit.look('what is to be mended')
    await page.goto(`/desk/datahub/batches/${batch}?view=groups`)
    const group = rowsOf(page, 'group').filter({ hasText: '组织类别' })
    await group.waitFor()
    assert.match(await textOf(group), /88/)
    assert.match(await textOf(group), /5 行/)
    await visit.look('groups of one fault')
    await group.getByRole('combobox').selectOption('11')
    await group.locator('[data-test=group-preview]').click()
    assert.match(await textOf(page.locator('[data-test=preview-sum]')), /符合 5 行，改后 4 行通过/)
    await rowsOf(page, 'preview-line').nth(4).waitFor()
    await page.locator('[data-test=repair-apply]').click()
    await page.getByText('请写明改正的依据。').waitFor()
    await visit.look('a previewed repair')
    await page.getByLabel('改正依据').fill('与登记档案核对，均为公司')
    await page.locator('[data-test=repair-apply]').click()
    await page.locator('[data-test=repair-undo]').click()
    await page.getByText('已撤销，没有改动任何数据。').waitFor()
    await group.getByRole('combobox').selectOption('11')
    await group.locator('[data-test=group-preview]').click()
    await page.getByLabel('改正依据').fill('与登记档案核对，均为公司')
    await page.evaluate(() => {
      window.__far = []
      const look = () =>
        window.__far.push(document.querySelector('[data-test=repair-running]')?.textContent ?? '')
      new MutationObserver(look).observe(document.body, {
        subtree: true,
        childList: true,
        characterData: true,
      })
    })
    await page.locator('[data-test=repair-apply]').click()
    await page
      .locator('[data-test=repair-said]')
      .filter({ hasText: '4 / 4 行已入库' })
      .waitFor({ timeout: 60_000 })
    const far = await page.evaluate(() => window.__far)
    assert.ok(
      far.some((text) => /\d+%/.test(text)),
      'how far it is was told',
    )
    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto(`/desk/datahub/batches/${batch}?view=done`)
    const log = rowsOf(second.page, 'repair-log')
    await log.nth(1).waitFor()
    const told = await textOf(log.first())
    assert.match(told, /把“88”改成/)
    assert.match(told, /与登记档案核对，均为公司/)
    assert.match(told, /4 \/ 4 行已入库/)
    assert.doesNotMatch(told, /account:/, 'a name, not an id')
    assert.match(await textOf(log.nth(1)), /已撤销/)
    await second.end()
  },

  async 'one row is mended in place, and what was typed survives a reload and is nobody else’s'(
    visit,
    world,
  ) {
    const { page } = visit
    const batch = await faultyBatch(visit, world)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto(`/desk/datahub/batches/${batch}`)
    const row = rowsOf(page, 'error-row').filter({ hasText: '第 1 行' }).first()
    await row.locator('[data-test=mend]').click()
    const drawer = page.getByRole('dialog')
    await drawer.getByLabel('组织类别').selectOption('11')
    await visit.look('a row to be mended')
    await page.waitForTimeout(600)
    await page.reload()
    await rowsOf(page, 'error-row').filter({ hasText: '第 1 行' }).first().locator('[data-test=mend]').click()
    await drawer.locator('[data-test=draft]').waitFor()
    assert.equal(await drawer.getByLabel('组织类别').inputValue(), '11')
    await drawer.getByRole('button', { name: '试查' }).click()
    await drawer.locator('[data-test=row-check]').filter({ hasText: '通过全部检查' }).waitFor()
    await drawer.getByRole('button', { name: '提交改正' }).click()
    await drawer.waitFor({ state: 'hidden', timeout: 30_000 })
    await row.getByText('已改正').waitFor()
    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto(`/desk/datahub/batches/${batch}?state=mended`)
    await rowsOf(second.page, 'error-row').filter({ hasText: '第 1 行' }).first().waitFor()
    assert.equal(
      await second.page.locator('[data-test=mend]').count(),
      0,
      'who only reads is not offered to mend',
    )
    await second.end()
  },

  async 'doubtful pairs are answered by keys, and an answer is taken back'(visit, world) {
    const { page } = visit
    const api = await program(visit, world, PEOPLE.operator)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/review')
    const title = page.locator('[data-test=review-title]')
    await title.waitFor()
    const name = await textOf(title)
    assert.match(name, /“.+”与/)
    await visit.look('a pair to be reviewed')
    await page.keyboard.press('n')
    await page.locator('[data-test=review-said]').filter({ hasText: '已判为不同对象' }).waitFor()
    const closed = (await api.get('/flow/work-items?state=done&kind=party_pair&limit=50')).items.find(
      (one) => one.title === name,
    )
    assert.equal(closed.verdict, 'different')
    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto(`/desk/work-items/${closed.id}?view=all`)
    await second.page.getByRole('dialog').getByText('不是同一对象').first().waitFor()
    assert.doesNotMatch(await textOf(second.page.getByRole('dialog')), /account:/)
    await second.end()
    await page.keyboard.press('u')
    await title.filter({ hasText: name }).waitFor()
    // a tired finger: same, and back again, until both stand for themselves
    await page.keyboard.press('y')
    await page.locator('[data-test=review-said]').filter({ hasText: '已判为同一对象' }).waitFor()
    await visit.until('the two are one', async () => {
      const { items } = await api.get('/registry/merges?state=holds&limit=20')
      return items.some((one) => one.merge === closed.payload.merge_id)
    })
    await page.keyboard.press('u')
    await title.filter({ hasText: name }).waitFor()
    const open = await api.get(`/flow/work-items/${closed.id}`)
    assert.equal(open.state, 'claimed')
    const back = await api.post(`/flow/work-items/${closed.id}/return`, {
      version: open.version,
      reason: '留给下一位',
    })
    assert.equal(back.status, 200)
    await api.end()
  },

  async 'many items are claimed at once after a preview, and given back'(visit, world) {
    const { page } = visit
    await faultyBatch(visit, world)
    await faultyBatch(visit, world)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/work-items?kind=batch_errors&sort=-created')
    await rowsOf(page, 'work-row').nth(1).waitFor()
    const titles = [
      await rowsOf(page, 'work-row').nth(0).getByRole('link').textContent(),
      await rowsOf(page, 'work-row').nth(1).getByRole('link').textContent(),
    ]
    await rowsOf(page, 'work-row').nth(0).getByRole('checkbox').check()
    await rowsOf(page, 'work-row').nth(1).getByRole('checkbox').check()
    await page.getByText('已选 2 条').waitFor()
    await page.locator('[data-test=bulk-claim]').click()
    assert.match(await textOf(page.locator('[data-test=bulk-preview]')), /将改动 2 件/)
    assert.match(await textOf(rowsOf(page, 'bulk-line').first()), /待认领 → 办理中/)
    await visit.look('what many items would become')
    await page.locator('[data-test=bulk-confirm]').click()
    await page.locator('[data-test=bulk-said]').filter({ hasText: '已认领 2 件' }).waitFor()
    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto('/desk/work-items?kind=batch_errors&sort=-created')
    const seen = rowsOf(second.page, 'work-row').filter({ hasText: titles[0] ?? '' })
    await seen.getByText('办理中').waitFor()
    assert.doesNotMatch(await textOf(seen), /account:|—.*—.*—/)
    await second.end()
    await page.locator('[data-test=bulk-undo]').click()
    await page.getByText('已撤销 2 件').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: '关闭', exact: true }).last().click()
    await rowsOf(page, 'work-row')
      .filter({ hasText: titles[0] ?? '' })
      .getByText('已退回')
      .waitFor()
  },

  async 'a batch is pasted from Excel, checked as one types, and comes in through the ordinary door'(
    visit,
    world,
  ) {
    const { page } = visit
    const api = await program(visit, world, PEOPLE.operator)
    const source = await sourceFor(api, 'manual')
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/datahub/entry')
    const pick = async (label, option) => {
      await visit.until(
        'no list is open',
        async () => (await page.locator('.app-select:visible').count()) === 0,
      )
      await page.getByRole('combobox', { name: label }).click({ force: true })
      await page
        .locator('.app-select:visible')
        .getByRole('option', { name: option, exact: true })
        .first()
        .click()
    }
    await pick('数据表', '行政检查')
    await visit.until(
      'the list is closed',
      async () => (await page.locator('.app-select:visible').count()) === 0,
    )
    await page.getByRole('combobox', { name: '数据来源' }).click({ force: true })
    await page.locator('.app-select:visible').getByRole('option').first().click()
    await page
      .locator('[data-test=entry-refused]')
      .filter({ hasText: '不接受以“人工填报”方式报送' })
      .waitFor()
    await pick('数据表', '企业法人')
    await pick('数据来源', source.name)
    const first = page.locator('#cell-0-0')
    await first.waitFor()
    await visit.look('an empty grid')
    const paste = (text) =>
      page.evaluate((value) => {
        const data = new DataTransfer()
        data.setData('text/plain', value)
        document.activeElement?.dispatchEvent(
          new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
        )
      }, text)
    const stamp = String(Date.now())
    const good = newUscc()
    await first.click()
    await paste(
      `企业名称\t主体身份代码\t统一社会信用代码\t法定代表人\n枣庄粘贴${stamp.slice(-5)}商贸有限公司\tP${stamp}1\t${good}\t李明\n枣庄粘贴乙有限公司\tP${stamp}2\t${spoiled(newUscc())}\t王芳\n`,
    )
    await page.locator('[data-test=entry-note]').filter({ hasText: '已按列名对应' }).waitFor()
    await page
      .locator('[data-test=entry-state]')
      .filter({ hasText: '已填 2 行，通过 1 行，有问题 1 行' })
      .waitFor()
    await page.locator('[aria-invalid=true]').first().click()
    await page.locator('[data-test=entry-faults]').filter({ hasText: '统一社会信用代码' }).waitFor()
    await visit.look('a grid with a fault')
    await page.waitForTimeout(500)
    await page.reload()
    await page.locator('[data-test=entry-state]').filter({ hasText: '已填 2 行' }).waitFor()
    await page.locator('[aria-invalid=true]').first().fill(newUscc())
    await page.locator('[data-test=entry-state]').filter({ hasText: '通过 2 行' }).waitFor()
    await page.locator('[data-test=entry-submit]').click()
    await page.waitForURL(/\/datahub\/batches\//)
    await page.locator('[data-test=reconciled], .notice').first().waitFor()
    const id = new URL(page.url()).pathname.split('/').at(-1)
    await visit.until(
      'the typed batch is settled',
      async () => (await api.get(`/datahub/batches/${id}`)).state === 'settled',
    )
    const batch = await api.get(`/datahub/batches/${id}`)
    assert.deepEqual([batch.channel, batch.counts.correct, batch.counts.error], ['manual', 2, 0])
    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto(`/desk/parties?q=${good}`)
    await rowsOf(second.page, 'party-row')
      .filter({ hasText: stamp.slice(-5) })
      .waitFor()
    await second.end()
    await api.end()
  },

  async 'fifty thousand pasted cells do not freeze the page, and more is refused in words'(visit, world) {
    const { page } = visit
    const api = await program(visit, world, PEOPLE.operator)
    const source = await sourceFor(api, 'manual')
    await api.end()
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/datahub/entry')
    for (const [label, option] of [
      ['数据表', '企业法人'],
      ['数据来源', source.name],
    ]) {
      await page.getByRole('combobox', { name: label }).click({ force: true })
      await page
        .locator('.app-select:visible')
        .getByRole('option', { name: option, exact: true })
        .first()
        .click()
    }
    await page.getByLabel('显示全部列').check()
    await page.locator('#cell-0-0').click()
    const paste = (rows, columns) =>
      page.evaluate(
        ([height, width]) => {
          const line = Array.from({ length: width }, (_, at) => `值${at}`).join('\t')
          const data = new DataTransfer()
          data.setData('text/plain', Array.from({ length: height }, () => line).join('\n'))
          const begun = performance.now()
          document.activeElement?.dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
          )
          return performance.now() - begun
        },
        [rows, columns],
      )
    await paste(5001, 10)
    await page.locator('[data-test=entry-failure]').filter({ hasText: '50,010 个单元格' }).waitFor()
    assert.match(await textOf(page.locator('[data-test=entry-state]')), /已填 0 行/)
    const took = await paste(5000, 10)
    await page.locator('[data-test=entry-state]').filter({ hasText: '已填 5,000 行' }).waitFor()
    assert.ok(took < 3000, `the paste took ${Math.round(took)} ms`)
    assert.ok((await page.locator('.grid tbody tr').count()) < 100, 'only the rows in view are in the page')
    // the page still answers at once
    const begun = Date.now()
    await page.locator('#cell-1-0').fill('还能输入')
    assert.ok(Date.now() - begun < 2000)
  },

  async 'a list shows what one likes, sorts, is walked by keys and leaves as exactly what is seen'(
    visit,
    world,
  ) {
    const { page } = visit
    const isPhone = visit.page.viewportSize().width < 720
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/datahub/batches?state=settled')
    await rowsOf(page, 'batch-row').first().waitFor()
    await page.locator('[data-test=columns]').click()
    await page.getByRole('checkbox', { name: '批次', exact: true }).check()
    await page.getByRole('checkbox', { name: '重复' }).uncheck()
    await visit.look('the choice of columns')
    await page.keyboard.press('Escape')
    await page.reload()
    await rowsOf(page, 'batch-row').first().waitFor()
    const heads = (await page.locator('thead th').allTextContents()).map((one) => one.trim())
    assert.ok(heads.includes('批次') && !heads.includes('重复'), heads.join())
    if (!isPhone) await page.getByRole('button', { name: '错误' }).click()
    else await page.goto('/desk/datahub/batches?state=settled&sort=-error')
    await page.waitForURL(/sort=-error/)
    await rowsOf(page, 'batch-row').first().waitFor()
    const lines = await linesOf(page)
    assert.match(lines.pop() ?? '', /^导出人：.*请勿外传/, 'whose copy it is')
    assert.match(lines[0], /批次号/)
    assert.doesNotMatch(lines[0], /重复/)
    assert.ok(
      // a settled file of which nothing was taken says so in the same column
      lines.slice(1).every((line) => /已完成|未收录/.test(line)),
      'the same filters',
    )
    const said = await textOf(page.locator('.card-foot'))
    const shown = Number(/[\d,]+/.exec(said)?.[0].replaceAll(',', ''))
    if (said.startsWith('共')) assert.equal(lines.length - 1, shown, 'the same counts')
    await page.keyboard.press('Escape')
    await page.locator('body').click({ position: { x: 5, y: 400 } })
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    const name = await textOf(page.locator('tr.current .code').first())
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/datahub\/batches\/[0-9a-f-]{36}/)
    await page.getByRole('heading', { level: 1 }).filter({ hasText: name }).waitFor()
    await page.keyboard.press('Escape')
    await page.waitForURL(/\/datahub\/batches$/)
    await page.keyboard.press('?')
    await page.getByRole('dialog').getByText('打开当前行').waitFor()
    await visit.look('the list of keys')
  },

  async 'bad input: long searches, strange characters and filters nobody knows are answered in words'(
    visit,
    world,
  ) {
    const { page } = visit
    await signIn(page, personOf(world, PEOPLE.operator))
    for (const q of ['%', '_', "'; DROP TABLE party; --", '"', '😀😀', '\\']) {
      await page.goto(`/desk/parties?q=${encodeURIComponent(q)}`)
      await page.locator('.empty, [data-test=party-row]').first().waitFor()
      await page.goto(`/desk/work-items?view=all&q=${encodeURIComponent(q)}`)
      await page.locator('.empty, [data-test=work-row]').first().waitFor()
    }
    await page.goto('/desk/parties')
    // the page writes its own address once its rows are there
    await rowsOf(page, 'party-row').first().waitFor()
    await page.evaluate((text) => {
      history.replaceState(history.state, '', `/desk/parties?q=${text}`)
    }, 'A'.repeat(10_000))
    await page.reload()
    await page
      .getByText('“名称、拼音首字母、代码后几位、地址”有 10000 个字，只用前 100 个字查找。')
      .or(page.getByText('只用前 100 个字查找'))
      .first()
      .waitFor()
    await page.goto('/desk/datahub/batches?state=settled&colour=red&table=no_such_table')
    await page.getByText('地址里的筛选“colour”本页没有，已忽略。').waitFor()
    await page.getByText('“数据表”没有“no_such_table”这个选项，已忽略。').waitFor()
    await rowsOf(page, 'batch-row').first().waitFor()
    await visit.look('a filter nobody knows')
    await page.getByRole('button', { name: '知道了' }).click()
    await page.waitForURL((url) => !url.search.includes('colour') && url.search.includes('state=settled'))
  },

  async 'a session that ends while a form is open loses nothing, and another account on this browser sees nothing of it'(
    visit,
    world,
  ) {
    const { page } = visit
    visit.expectStatus(401)
    // the colleague from another county may not see the item
    visit.expectStatus(404)
    await faultyBatch(visit, world)
    const operator = personOf(world, PEOPLE.operator)
    await signIn(page, operator)
    await page.goto('/desk/work-items?kind=batch_errors&sort=-created')
    await rowsOf(page, 'work-row').first().getByRole('link').click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '认领' }).click()
    const reason = drawer.getByLabel('判断理由')
    await reason.fill('源系统已停用，数据不再更正')
    await visit.context.setOffline(true)
    await drawer.getByRole('button', { name: '退回' }).click()
    await drawer.getByText('连不上服务器').first().waitFor()
    assert.equal(await reason.inputValue(), '源系统已停用，数据不再更正')
    await visit.context.setOffline(false)
    visit.noise = visit.noise.filter((line) => !/ERR_INTERNET_DISCONNECTED/.test(line))
    const place = new URL(page.url())
    await visit.context.clearCookies()
    await drawer.getByRole('button', { name: '退回' }).click()
    await page.getByRole('heading', { level: 1, name: '登录' }).waitFor()
    const other = personOf(world, 'clerk')
    await page.getByLabel('登录名').fill(other.login)
    await page.getByLabel('密码', { exact: true }).fill(other.password)
    await page.getByRole('button', { name: '登录' }).click()
    await page.waitForURL((url) => !url.pathname.includes('/login'))
    assert.equal(await page.locator('[data-test=draft]').count(), 0, 'a draft is its author’s')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await page.locator('.account > button').click()
    await page.getByRole('button', { name: '退出登录' }).click()
    await page.getByText('您已退出登录。').waitFor()
    await signIn(page, operator)
    await page.goto(place.pathname + place.search)
    await page.locator('[data-test=draft]').waitFor()
    assert.equal(await page.getByLabel('判断理由').inputValue(), '源系统已停用，数据不再更正')
    await page.getByRole('dialog').getByRole('button', { name: '退回' }).click()
    await page.getByRole('dialog').getByText('源系统已停用，数据不再更正').first().waitFor()
    assert.equal(await page.locator('[data-test=draft]').count(), 0)
  },

  async 'two people on one item see each other, and who is late compares before deciding'(visit, world) {
    const { page } = visit
    visit.expectStatus(409)
    await faultyBatch(visit, world)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/work-items?kind=batch_errors&sort=-created')
    await rowsOf(page, 'work-row').first().getByRole('link').click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '认领' }).waitFor()
    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto(new URL(page.url()).pathname)
    await second.page.locator('[data-test=presence]').waitFor()
    await second.page.getByRole('dialog').getByRole('button', { name: '催办' }).click()
    await second.page.getByText('已催办').first().waitFor()
    await drawer.getByRole('button', { name: '认领' }).click()
    const conflict = drawer.locator('[data-test=conflict]')
    await conflict.waitFor()
    assert.match(await textOf(conflict), /催办次数01/)
    assert.doesNotMatch(await textOf(conflict), /account:/)
    await visit.look('a conflict laid open')
    await drawer.getByRole('button', { name: '认领' }).click()
    await drawer.getByLabel('判断理由').waitFor()
    await second.end()
  },

  async 'two tabs of one browser never act under a wrong name, and a wrong clock colours nothing red'(
    visit,
    world,
  ) {
    const { page } = visit
    const [operator, other] = [personOf(world, PEOPLE.operator), personOf(world, 'clerk')]
    await page.addInitScript(() => {
      const real = Date.now
      Date.now = () => real() + 366 * 24 * 3600 * 1000
    })
    await signIn(page, operator)
    await page.goto('/desk/work-items?kind=batch_errors&sort=-created')
    const row = rowsOf(page, 'work-row').first()
    await row.waitFor()
    assert.match(await textOf(row), /剩 \d+ 天/, 'by the server’s clock')
    const tab = await visit.context.newPage()
    await signIn(tab, other)
    await page.locator('[data-test=switched]').waitFor()
    const name = await textOf(tab.locator('.account > button'))
    assert.equal(await textOf(page.locator('.account > button')), name)
  },
}
