// A password past its days: the sign-in leads to the change of it, and nothing else opens before. On a node of its own
// with the rules of 等保, whose clock cannot wait ninety days: the row says that it was changed so long ago.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enrolAdministrators, serve, stop } from './node.mjs'

const LOGIN = 'xitong'
const OLD = 'Zaohua-kai-2026'
const NEW = 'Shiliu-hong-2027'
const DAYS = 91
const SETTINGS = { MINGJIAN_ACCESS_PASSWORD_PROFILE: 'mlps', MINGJIAN_ACCESS_SECOND_FACTOR: 'optional' }

export const stories = {
  async 'a password past its days is changed at sign-in before anything else opens'(visit) {
    const { page } = visit
    const folder = mkdtempSync(join(tmpdir(), 'mj-expired-'))
    let node = await serve(visit, folder, SETTINGS)
    try {
      await enrolAdministrators(node, OLD)
      await stop(node)
      const ago = `UPDATE credential SET changed_at = changed_at - ${DAYS} * 86400 * 1000000`
      const run = 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute(sys.argv[2])'
      execFileSync('python3', ['-c', run, join(folder, 'db/mingjian.sqlite3'), ago])
      node = await serve(visit, folder, SETTINGS)

      const signIn = async (password) => {
        await page.goto(`${node.base}/desk/login`)
        await page.getByLabel('登录名').fill(LOGIN)
        await page.getByRole('textbox', { name: '密码' }).fill(password)
        await page.getByRole('button', { name: '登录' }).click()
      }
      visit.expectStatus(401)
      visit.expectStatus(403)
      await signIn(OLD)
      await page.getByRole('heading', { level: 1, name: '我的账号' }).waitFor()
      await page.getByRole('alert').filter({ hasText: '密码' }).first().waitFor()
      await visit.look('an expired password')
      await page.goto(`${node.base}/desk/accounts`)
      await page.getByRole('heading', { level: 1, name: '我的账号' }).waitFor()
      const refused = await page.request.get(`${node.base}/api/v1/access/accounts`)
      assert.equal((await refused.json()).code, 'access.password_expired')

      visit.expectStatus(422)
      const change = async (next) => {
        await page.getByLabel('现在的密码').fill(OLD)
        await page.getByLabel('新密码', { exact: true }).fill(next)
        await page.getByLabel('再输一遍新密码').fill(next)
        await page.getByRole('button', { name: '修改密码' }).click()
      }
      await change(OLD)
      await page.getByText('最近 5 个').first().waitFor()
      await visit.look('an expired password, the same again')
      await change(NEW)
      await page.getByText('密码已修改').first().waitFor()
      await page.goto(`${node.base}/desk/accounts`)
      await page.getByRole('heading', { level: 1, name: '账号' }).first().waitFor()
      await visit.context.clearCookies()
      await signIn(NEW)
      await page.locator('#sidebar').waitFor({ state: 'attached' })
      await page.goto(`${node.base}/desk/me`)
      await page.getByRole('heading', { level: 1, name: '我的账号' }).waitFor()
      assert.equal(await page.getByRole('alert').count(), 0, 'nothing is to be done any more')
      await page.goto('about:blank')
    } finally {
      await stop(node)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
