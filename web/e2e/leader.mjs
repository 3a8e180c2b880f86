// Stories of the leader's page: every figure opens exactly its rows, and what a clerk does changes it.
import assert from 'node:assert/strict'
import { newSheet } from './sheet.mjs'

const TABLE = 'object_enterprise'
const PARTS = ['numerator', 'denominator']
/** Longest time from a settled delivery to the figure on the page. */
const FRESH_MS = 60_000

const who = (world, role) => world.accounts.find((one) => one.role === role)
const number = (text) => Number((text ?? '').replace(/[^\d]/g, ''))

async function logIn(visit, account, path) {
  const { page } = visit
  await page.goto(`/desk/login?next=${encodeURIComponent(path)}`)
  await page.getByLabel('登录名').fill(account.login)
  await page.locator('#password').fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.waitForURL((url) => url.pathname.startsWith('/desk') && !url.pathname.endsWith('/login'))
  await page.goto(path)
}

/** The same person as a program: answers of the API without the page's cookie. */
async function asProgram(visit, account) {
  const { request } = visit.page
  const opened = await request.post('/api/v1/sessions', {
    data: { login: account.login, password: account.password },
  })
  const { token } = await opened.json()
  await visit.context.clearCookies()
  const headers = { Authorization: `Bearer ${token}` }
  return {
    async get(path) {
      const answer = await request.get(`/api/v1${path}`, { headers })
      assert.equal(answer.status(), 200, `${path}: ${await answer.text()}`)
      return answer.json()
    },
    status: async (path) => (await request.get(`/api/v1${path}`, { headers })).status(),
    post: (path, options) =>
      request.post(`/api/v1${path}`, {
        ...options,
        headers: { ...headers, 'Idempotency-Key': crypto.randomUUID(), ...options.headers },
      }),
  }
}

/** A picture in which nothing is on its way any more. */
async function settled(visit, program, path = '/evaluation/overview') {
  let answer
  await visit.until(
    'the figures are up to date',
    async () => {
      answer = await program.get(path)
      return !answer.is_stale
    },
    FRESH_MS,
  )
  return answer
}

const figureOf = (overview, id) => overview.figures.find((one) => one.id === id)

export const stories = {
  async 'a leader reads a figure, opens its rows and reaches a record in three clicks'(visit, world) {
    const { page } = visit
    await logIn(visit, who(world, 'region_leader'), '/desk/leader')
    const card = page.locator('[data-test=figure-K04]')
    await card.waitFor()
    await page.locator('[data-test=month-chart] svg').waitFor()
    await visit.look('the leader page')
    const ask = card.getByRole('button', { name: '数据正确率的口径' })
    await ask.focus()
    const note = card.getByRole('tooltip')
    await note.getByText('正确量 ÷ 标准量').waitFor()
    await visit.look('a definition')
    await page.keyboard.press('Escape')
    await note.waitFor({ state: 'hidden' })
    const said = number(await card.locator('[data-test=numerator]').textContent())
    assert.ok(said > 0, 'the demonstration city has correct rows')
    await card.locator('[data-test=numerator]').click()
    const equal = page.locator('[data-test=rows-equal]')
    await equal.waitFor()
    assert.equal(Number(await equal.getAttribute('data-sum')), said, 'the list is as long as the figure says')
    await page.locator('[data-test=figure-row]').first().waitFor()
    await visit.look('the rows behind a figure')
    await page.locator('[data-test=figure-row]').first().getByRole('link').click()
    await page.locator('[data-test=record]').waitFor()
    await visit.look('a record')
    await page.goBack()
    await equal.waitFor()
  },

  async 'every figure is as many rows as it says, whatever it is narrowed to'(visit, world) {
    const program = await asProgram(visit, who(world, 'region_leader'))
    for (const narrowing of [
      '',
      'area=370402',
      'area=370400&own=true',
      'agency=none',
      'table=check_action',
      'period=month',
    ]) {
      const overview = await settled(visit, program, `/evaluation/overview?${narrowing}`)
      for (const figure of overview.figures) {
        for (const part of PARTS.filter((one) => figure[one] !== null)) {
          const rows = await program.get(
            `/evaluation/indicators/${figure.id}/rows?${narrowing}&part=${part}&limit=1`,
          )
          assert.equal(rows.sum, figure[part], `${figure.id} ${part} ${narrowing}`)
        }
      }
    }
    // pages together hold what the total says
    const first = await program.get('/evaluation/indicators/K16/rows?part=denominator&limit=100')
    let count = first.items.length
    for (let page = first; page.next_cursor; ) {
      page = await program.get(
        `/evaluation/indicators/K16/rows?part=denominator&limit=100&cursor=${page.next_cursor}`,
      )
      count += page.items.length
    }
    assert.equal(count, first.total)
  },

  async "a clerk hands in rows and mends one, and the leader's figure changes"(visit, world) {
    const { page } = visit
    const leader = await asProgram(visit, who(world, 'region_leader'))
    const operator = await asProgram(visit, who(world, 'datahub_operator'))
    const before = figureOf(await settled(visit, leader), 'K04')
    const { items } = await operator.get('/datahub/sources')
    const source = items.find((one) => one.tables.includes(TABLE) && one.channels.includes('file'))
    const sheet = newSheet()
    const query = new URLSearchParams({
      table: TABLE,
      cd_source: source.cd_source,
    })
    const sent = await operator.post(`/datahub/batches/file?${query}`, {
      headers: { 'Content-Type': 'application/octet-stream' },
      data: Buffer.from(sheet.csv, 'utf8'),
    })
    assert.equal(sent.status(), 202, await sent.text())
    const { batch_id: batch } = await sent.json()
    const gap = (figure) => figure.denominator - figure.numerator
    const reads = async (what, is) => {
      let now
      await visit.until(
        what,
        async () => {
          now = figureOf(await settled(visit, leader), 'K04')
          return is(now)
        },
        FRESH_MS,
      )
      return now
    }
    await reads('one correct row and one refused row more', (now) => {
      return now.numerator === before.numerator + 1 && gap(now) === gap(before) + 1
    })
    const errors = await operator.get(`/datahub/batches/${batch}/errors`)
    const mended = await operator.post(`/datahub/batches/${batch}/errors/${errors.items[0].row}`, {
      data: { values: { uscc: newSheet().goodUscc } },
    })
    assert.equal(mended.status(), 202, await mended.text())
    const after = await reads('the refused row is mended', (now) => gap(now) === gap(before))
    assert.equal(after.numerator, before.numerator + 2)
    await logIn(visit, who(world, 'region_leader'), '/desk/leader')
    const shown = page.locator('[data-test=figure-K04] [data-test=numerator]')
    await visit.until('the page shows the new figure', async () => {
      return number(await shown.textContent()) >= after.numerator
    })
  },

  async 'a district on the map narrows the page, and a month opens its acts'(visit, world) {
    const { page } = visit
    await logIn(visit, who(world, 'region_leader'), '/desk/leader')
    await page
      .getByRole('link', { name: /^市中区 \d/ })
      .first()
      .click()
    await page.waitForURL(/area=370402/)
    await page.getByText('山东省枣庄市市中区').first().waitFor()
    await page.locator('[data-test=by-agency]').waitFor()
    await visit.look('one district')
    await page.getByRole('link', { name: '看全部' }).click()
    await page.waitForURL((url) => !url.search.includes('area'))
    await page.getByText('图中的数字').click()
    const cell = page
      .locator('details.numbers tbody tr')
      .filter({ has: page.locator('td a') })
      .nth(3)
      .locator('td a')
    const said = number(await cell.textContent())
    await cell.click()
    const equal = page.locator('[data-test=rows-equal]')
    await equal.waitFor()
    assert.equal(Number(await equal.getAttribute('data-rows')), said)
    visit.expectStatus(422)
    await page.goto('/desk/leader?from=2026-09-30&to=2026-09-01')
    await page.getByText('止日应不早于起日').first().waitFor()
  },

  async 'the page prints on two sheets of A4 at most, without buttons'(visit, world) {
    const { page } = visit
    await logIn(visit, who(world, 'region_leader'), '/desk/leader')
    await page.locator('[data-test=month-chart] svg').waitFor()
    const pdf = await page.pdf({ format: 'A4' })
    const sheets = pdf.toString('latin1').match(/\/Type\s*\/Page[^s]/g) ?? []
    assert.ok(sheets.length >= 1 && sheets.length <= 2, `${sheets.length} sheets`)
    await page.emulateMedia({ media: 'print' })
    const buttons = page.locator('main button:visible')
    assert.equal(await buttons.count(), 0, 'no button on paper')
    assert.equal(await page.locator('.sidebar:visible, .topbar:visible').count(), 0)
    await page.emulateMedia({ media: 'screen' })
  },

  async 'the weekly digest waits among the to-dos, opens its rows and is read once'(visit, world) {
    const { page } = visit
    // one reader for each width: what the first has read is closed
    const reader = who(world, world.size.width > 720 ? 'region_leader' : 'leader')
    const program = await asProgram(visit, reader)
    const { items } = await program.get('/flow/work-items?kind=weekly_digest')
    assert.equal(items.length, 1, 'one digest, for the one who leads')
    if (world.size.width > 720) {
      await logIn(visit, reader, '/desk/work-items')
      await page.getByRole('button', { name: /^全部/ }).first().click()
      await page.getByRole('link', { name: items[0].title }).click()
    } else {
      await logIn(visit, reader, `/desk/work-items/${items[0].id}`)
    }
    const digest = page.locator('[data-test=digest]')
    await digest.waitFor()
    await digest.getByRole('link', { name: /上周到达有效数据/ }).waitFor()
    await visit.look('the weekly digest')
    const read = digest.getByRole('button', { name: '标为已阅' })
    if ((await read.count()) > 0) {
      await read.click()
      await read.waitFor({ state: 'detached' })
    }
    await digest.getByRole('link', { name: /今年数据正确率/ }).click()
    await page.locator('[data-test=rows-equal]').waitFor()
  },

  async 'a department sees its own figures, a clerk too, and who has no business here sees none'(
    visit,
    world,
  ) {
    const leader = await asProgram(visit, who(world, 'leader'))
    const own = await settled(visit, leader)
    const agency = who(world, 'leader').agency
    assert.deepEqual(
      own.agencies.map((one) => one.code),
      [agency],
      'one agency in sight',
    )
    const whole = await settled(visit, await asProgram(visit, who(world, 'region_leader')))
    const same = whole.agencies.find((one) => one.code === agency)
    assert.equal(figureOf(own, 'B01').numerator, same.acts, 'the same number from both sides')
    const rows = await leader.get('/evaluation/indicators/B01/rows?limit=1')
    const { table, id } = rows.items[0]
    const clerk = await asProgram(visit, who(world, 'clerk'))
    assert.equal(figureOf(await settled(visit, clerk), 'B01').numerator, same.acts)
    const others = await (await asProgram(visit, who(world, 'region_leader'))).get(
      '/evaluation/indicators/B01/rows?area=370481&limit=1',
    )
    const stranger = others.items[0]
    assert.equal(await leader.status(`/evaluation/records/${table}/${id}`), 200)
    assert.equal(await leader.status(`/evaluation/records/${stranger.table}/${stranger.id}`), 404)
    const enterprise = await asProgram(visit, who(world, 'enterprise'))
    assert.equal(await enterprise.status('/evaluation/overview'), 403)
    assert.equal(await leader.status('/evaluation/overview?period=week'), 422)
    assert.equal(await leader.status('/evaluation/indicators/K99/rows'), 404)
    assert.equal(await leader.status(`/evaluation/overview?area=${'9'.repeat(10_000)}`), 422)
  },
}
