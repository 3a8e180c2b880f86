// One account at two browsers: the first is told when and from where, the second what it ended. On a node of its own,
// because the accounts of the demonstration are shared by everybody who looks at it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enrolAdministrators, serve, stop } from './node.mjs'
import { call } from './session.mjs'
import { Visit } from './visit.mjs'

const LOGIN = 'xitong'
const PASSWORD = 'Zaohua-kai-2026'
const SETTINGS = { MINGJIAN_ACCESS_SECOND_FACTOR: 'optional' }

async function signIn(page, node, login) {
  await page.goto(`${node.base}/desk/login`)
  await fill(page, login)
  await page.locator('#sidebar').waitFor({ state: 'attached' })
}

async function fill(page, login = LOGIN) {
  await page.getByLabel('登录名').fill(login)
  await page.getByRole('textbox', { name: '密码' }).fill(PASSWORD)
  await page.getByRole('button', { name: '登录' }).click()
}

export const stories = {
  async 'an account that signs in elsewhere is told here, and there what it ended'(visit, world) {
    const { page } = visit
    const folder = mkdtempSync(join(tmpdir(), 'mj-elsewhere-'))
    const node = await serve(visit, folder, SETTINGS)
    const other = await Visit.start(visit.context.browser(), node.base, world.size)
    try {
      await enrolAdministrators(node, PASSWORD)
      await signIn(page, node)
      assert.equal(await page.locator('[data-test=ended-elsewhere]').count(), 0, 'nothing was ended')

      await signIn(other.page, node)
      const notice = other.page.locator('[data-test=ended-elsewhere]')
      await notice.getByText('您在另一处的登录已结束：Chrome · Linux').waitFor()
      await other.look('what signing in ended')
      await notice.getByRole('button', { name: '知道了' }).click()
      await notice.waitFor({ state: 'detached' })

      // at the next request, in the middle of work, and again when the page is loaded anew
      visit.expectStatus(401)
      await page.evaluate(() => document.querySelector('a[href="/desk/accounts"]').click())
      const told = page.locator('[data-test=session-over]')
      await told.getByText(/您的账号在别处登录（20.*Chrome · Linux，网络地址 .*），本次登录已结束/).waitFor()
      await told.getByText('如非本人操作，请立即修改密码并联系安全管理员').waitFor()
      await visit.look('told that somebody signed in elsewhere')
      await page.reload()
      await told.getByText('您的账号在别处登录').waitFor()

      // back again: now the other one is out, and the list of devices says so
      other.expectStatus(401)
      await fill(page)
      await page.locator('[data-test=ended-elsewhere]').waitFor()
      await page.goto(`${node.base}/desk/me`)
      const ended = page.locator('[data-test=ended]')
      await ended.getByText('Chrome · Linux').first().waitFor()
      assert.equal(await ended.locator('tbody tr').count(), 2)
      await page.getByText('同一账号同时至多在网页登录 1 处').waitFor()
      await visit.look('what was ended lately')
      await other.page.goto(`${node.base}/desk/accounts`)
      await other.page.locator('[data-test=session-over]').waitFor()

      // what an administrator did is told where it ended a session, too
      await signIn(other.page, node, 'anquan')
      const { body } = await call(other.page, 'GET', `/access/accounts#${LOGIN}`)
      const end = `/access/accounts/${body.items[0].id}/sessions/end`
      assert.equal((await call(other.page, 'POST', end, { reason: '人已离岗' })).status, 204)
      await page.evaluate(() => document.querySelector('a[href="/desk/accounts"]').click())
      await told.getByText(/安全管理员结束了您的登录（20/).waitFor()
      await told.getByText('需要继续办理的，请重新登录').waitFor()
      assert.equal(await told.locator('.sub').count(), 0, 'nobody else is in')
      await visit.look('told that an administrator ended the session')
      other.expectQuiet()
      await page.goto('about:blank')
    } finally {
      await other.end()
      await stop(node)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
