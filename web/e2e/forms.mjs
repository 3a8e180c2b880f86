// Stories of forms: a file that was not understood is not called a success, typed words are not lost by a slip, and
// what is wrong stands at its field.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultyBatch, PEOPLE, personOf, program, rowsOf, signIn } from './clerk.mjs'
import { enrolAdministrators, serve, stop } from './node.mjs'

const PASSWORD = 'Zaohua-kai-2026'

/** Two files of which not one row can be taken: another table's columns, and a head with nothing below it. */
const NOT_UNDERSTOOD = [
  ['wrong.csv', '甲,乙\n1,2\n'],
  ['photo.csv', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
]

/** The same file sent again is the same batch, not the newest one of the list. */
const unique = (bytes) => Buffer.concat([Buffer.from(bytes), Buffer.from(crypto.randomUUID())])

async function uploadPageFor(page, api) {
  const { items } = await api.get('/datahub/sources')
  const source = items.find(
    (one) =>
      one.status !== 'stopped' &&
      (one.channels.length === 0 || one.channels.includes('file')) &&
      (one.tables.length === 0 || one.tables.includes('check_action')),
  )
  assert.ok(source, 'a source that may deliver inspections')
  await page.goto(`/desk/datahub/upload?table=check_action&cd_source=${source.cd_source}`)
}

async function alive(page) {
  await page.getByRole('heading', { level: 1 }).first().waitFor()
}

const unsent = (page) => page.locator('[data-test=unsent]')
const drawer = (page) => page.locator('.el-drawer')

export const stories = {
  async 'a file that was not understood is said to be one on every page, and what to do'(visit, world) {
    const { page } = visit
    const api = await program(visit, world, PEOPLE.operator)
    await signIn(page, personOf(world, PEOPLE.operator))
    for (const [name, bytes] of NOT_UNDERSTOOD) {
      await uploadPageFor(page, api)
      await alive(page)
      await page.setInputFiles('#file', { name, mimeType: 'text/csv', buffer: unique(bytes) })
      await page.getByRole('button', { name: '开始上报' }).click()
      const verdict = page.locator('[data-test=verdict].notice-bad')
      await verdict.getByText(/^这个文件没有收进任何记录：.{6}/).waitFor()
      await verdict.getByRole('link', { name: '下载填报模板' }).waitFor()
      await page.locator('[data-test=batch-state]').getByText('未收录').waitFor()
      assert.doesNotMatch(await page.locator('main').innerText(), /全部合格|已完成/, name)
    }
    await visit.look('a file that was not understood')
    await page.getByRole('link', { name: '查看批次和错误原因' }).click()
    await page
      .locator('[data-test=unread]')
      .getByText(/^这个文件没有收进任何记录：/)
      .waitFor()
    await page.locator('[data-test=batch-state]').getByText('未收录').waitFor()
    await page.getByText('没有收进任何记录', { exact: true }).waitFor()
    assert.doesNotMatch(await page.locator('main').innerText(), /这个批次没有错误记录|已完成/)
    await visit.look('its batch')
    await page.goto('/desk/datahub/batches')
    await rowsOf(page, 'batch-row').first().locator('.tone-bad').first().waitFor()
    await rowsOf(page, 'batch-row').first().getByText('未收录').waitFor()
    await api.end()
  },

  async 'on a new platform an empty list says what comes first, and a form says what is wrong where it is'(
    visit,
  ) {
    const { page } = visit
    const folder = mkdtempSync(join(tmpdir(), 'mj-forms-'))
    const node = await serve(visit, folder, { MINGJIAN_ACCESS_SECOND_FACTOR: 'optional' })
    try {
      await enrolAdministrators(node, PASSWORD)
      await page.goto(`${node.base}/desk/login`)
      await page.getByLabel('登录名').fill('xitong')
      await page.getByRole('textbox', { name: '密码' }).fill(PASSWORD)
      await page.getByRole('button', { name: '登录' }).click()
      await page.locator('#sidebar').waitFor({ state: 'attached' })
      await page.goto(`${node.base}/desk/agencies`)
      const empty = page.locator('.empty')
      await empty.getByText('还没有登记部门').waitFor()
      assert.doesNotMatch(await empty.innerText(), /清除筛选|少写几个字/)
      await visit.look('no agency yet')
      await empty.getByRole('button', { name: '登记部门' }).click()

      // nothing typed: each field says what it lacks, and nothing is sent
      let sent = 0
      page.on('request', (request) => {
        if (request.method() === 'POST' && /agencies$|accounts$/.test(request.url())) sent += 1
      })
      const submit = drawer(page).getByRole('button', { name: '登记部门' })
      await submit.click()
      for (const text of ['请填写 18 位统一社会信用代码。', '请填写部门全称。', '请填写行政区划代码。'])
        await drawer(page).locator('.field .error').getByText(text).waitFor()
      await visit.look('what is wrong at which field')
      assert.equal(sent, 0, 'an incomplete form is not sent')

      // a slip beside the drawer, or Esc, asks first
      await page.locator('#agency-uscc').fill('1137 0400 0044 0000 1P')
      await page.locator('#agency-name').fill('枣庄市市场监督管理局')
      await page.keyboard.press('Escape')
      await unsent(page).waitFor()
      await visit.look('typed and not sent')
      await unsent(page).getByRole('button', { name: '继续填写' }).click()
      await drawer(page).getByRole('button', { name: '关闭', exact: true }).first().click()
      await unsent(page).getByRole('button', { name: '继续填写' }).click()
      assert.equal(await page.locator('#agency-name').inputValue(), '枣庄市市场监督管理局')
      if (page.viewportSize().width > 720) {
        await page.mouse.click(200, 500)
        await unsent(page).getByRole('button', { name: '继续填写' }).click()
      }
      await page.locator('#agency-area_number').fill('370400')
      await page.locator('#reason-text').fill('三定方案')
      await submit.click()
      await rowsOf(page, 'agency-row').getByText('枣庄市市场监督管理局').first().waitFor()

      // a form that was only opened closes at once
      await page.getByRole('button', { name: '登记部门' }).click()
      await page.locator('#agency-uscc').waitFor()
      await page.keyboard.press('Escape')
      await drawer(page).waitFor({ state: 'detached' })
      // and one that is given up on purpose is gone
      await page.getByRole('button', { name: '登记部门' }).click()
      await page.locator('#agency-name').fill('多余')
      await page.keyboard.press('Escape')
      await unsent(page).getByRole('button', { name: '不要了，关闭' }).click()
      await drawer(page).waitFor({ state: 'detached' })
      await page.goto('about:blank')
    } finally {
      await stop(node)
      rmSync(folder, { recursive: true, force: true })
    }
  },

  'the password once more may be given up, and what was typed for it is still there'(visit, world) {
    return passwordOnceMore(visit, world)
  },

  'each error of a row stands on one line with its cell, its reason and how to mend it'(visit, world) {
    return oneLineEach(visit, world)
  },
}

async function passwordOnceMore(visit, world) {
  const { page } = visit
  visit.expectStatus(401)
  visit.expectStatus(403)
  visit.expectStatus(422)
  const account = personOf(world, 'sys_admin')
  await signIn(page, account)
  // five minutes are longer than a story: the first answers are those the server gives after them
  const again = { code: 'access.step_up_required', title: '请再次验证身份', status: 403 }
  const late = { status: 403, contentType: 'application/problem+json', body: JSON.stringify(again) }
  let asked = 0
  const held = (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    asked += 1
    return route.fulfill(late)
  }
  await page.route('**/access/accounts', held)
  await page.goto('/desk/accounts')
  await page.getByRole('button', { name: '开设账号' }).click()
  const submit = drawer(page).getByRole('button', { name: '开设账号' })
  await page.locator('#reason-text').fill('新进人员')
  await submit.click()
  for (const text of ['请填写本人姓名。', '请填写登录名。'])
    await drawer(page).locator('.field .error').getByText(text).waitFor()
  assert.equal(asked, 0, 'no password is asked for a form that is not complete')
  await visit.look('an account without a name')

  const mark = Date.now().toString(36)
  await page.locator('#acc-name').fill('赵大敏')
  await page.locator('#acc-login').fill(`zhao.${mark}`)
  await submit.click()
  const dialog = page.locator('dialog.proof')
  const password = dialog.getByLabel('密码', { exact: true })
  await password.fill('wrong-password')
  await dialog.locator('button[type=submit]').click()
  await dialog.getByRole('alert').waitFor()
  await visit.until('the cursor is back in the password', () =>
    password.evaluate((box) => box === document.activeElement),
  )
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'detached' })
  assert.equal(await page.locator('#acc-name').inputValue(), '赵大敏')
  assert.equal(await unsent(page).count(), 0, 'Esc was the dialog’s own')
  await page.unroute('**/access/accounts', held)

  // what the server finds wrong stands at the field it names
  const taken = {
    code: 'access.invalid',
    title: '填写有误',
    status: 422,
    errors: [{ field: 'login', message: '应为 3 至 64 位字母、数字或 . _ @ -' }],
  }
  const refuse = (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({ status: 422, contentType: 'application/problem+json', body: JSON.stringify(taken) })
      : route.continue()
  await page.route('**/access/accounts', refuse)
  await submit.click()
  await page
    .locator('.field', { has: page.locator('#acc-login') })
    .locator('.error')
    .waitFor()
  await page.unroute('**/access/accounts', refuse)
}

async function oneLineEach(visit, world) {
  const { page } = visit
  const batch = await faultyBatch(visit, world)
  await signIn(page, personOf(world, PEOPLE.operator))
  await page.goto(`/desk/datahub/batches/${batch}`)
  const row = rowsOf(page, 'error-row').filter({ hasText: '第 5 行' }).first()
  await row.locator('[data-test=issue]').nth(1).waitFor()
  const lines = await row
    .locator('[data-test=issue]')
    .evaluateAll((issues) =>
      issues.map((issue) => [...issue.children].map((one) => one.getBoundingClientRect().top)),
    )
  assert.equal(lines.length, 2, 'a row with two errors')
  if (page.viewportSize().width > 720) {
    for (const tops of lines) assert.equal(new Set(tops).size, 1, `one line: ${tops}`)
    const frame = page.locator('.frame-scroll')
    const over = await frame.evaluate((one) => one.scrollWidth - one.clientWidth)
    assert.ok(over <= 0, `the list is ${over} px wider than its frame`)
  }
  await visit.look('the errors of a batch')
}
