// A node whose administrators are not all there: whoever is in sees who is missing, and nothing else.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { enrolAdministrators, serve, stop } from './node.mjs'

const PASSWORD = 'Zaohua-kai-2026'
const SETTINGS = { MINGJIAN_ACCESS_SECOND_FACTOR: 'optional' }

export const stories = {
  async 'an administrator waits for the other two, and sees who is missing'(visit) {
    const { page } = visit
    const folder = mkdtempSync(join(tmpdir(), 'mj-setup-'))
    const node = await serve(visit, folder, SETTINGS)
    try {
      await enrolAdministrators(node, PASSWORD, ['系统管理员'])
      visit.expectStatus(401)
      await page.goto(`${node.base}/desk/login`)
      await page.getByLabel('登录名').fill('xitong')
      await page.getByRole('textbox', { name: '密码' }).fill(PASSWORD)
      await page.getByRole('button', { name: '登录' }).click()
      await page.getByRole('heading', { level: 1, name: '平台还没有启用完毕' }).waitFor()
      const missing = page.locator('[data-test=missing-administrators]')
      await missing.getByText('还没有启用：安全管理员').waitFor()
      await missing.getByText('还没有启用：审计管理员').waitFor()
      await visit.look('who is missing')
      await page.goto(`${node.base}/desk/accounts`)
      await page.getByRole('heading', { level: 1, name: '平台还没有启用完毕' }).waitFor()
      visit.expectStatus(403)
      const refused = await page.request.get(`${node.base}/api/v1/access/accounts`)
      assert.equal((await refused.json()).code, 'access.not_set_up')
      await enrolAdministrators(node, PASSWORD, ['安全管理员'])
      await page.getByRole('button', { name: '重新查看' }).click()
      await page.getByRole('status').getByText('还没有启用：审计管理员').waitFor()
      await enrolAdministrators(node, PASSWORD, ['审计管理员'])
      await page.getByRole('button', { name: '重新查看' }).click()
      await page.locator('#sidebar').waitFor({ state: 'attached' })
      await page.goto(`${node.base}/desk/accounts`)
      await page.getByRole('heading', { level: 1, name: '账号' }).first().waitFor()
      await page.goto('about:blank')
    } finally {
      await stop(node)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
