// Stories of forms: a file that was not understood is not called a success, typed words are not lost by a slip, and
// what is wrong stands at its field.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PEOPLE, personOf, program, rowsOf, signIn } from './clerk.mjs'
import { enrolAdministrators, serve, stop } from './node.mjs'

const PASSWORD = 'Zaohua-kai-2026'

/** Two files of which not one row can be taken: another table's columns, and a head with nothing below it. */
const NOT_UNDERSTOOD = [
  ['wrong.csv', '甲,乙\n1,2\n'],
  ['photo.csv', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
]

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
      await page.setInputFiles('#file', { name, mimeType: 'text/csv', buffer: Buffer.from(bytes) })
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
}
