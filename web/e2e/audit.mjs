// The monthly audit report: the auditor's home page names the month that waits, each number leads to its entries, the
// signature freezes it, and a correction is another edition. On a node of its own whose first entry is put back by a
// month, as if it had begun then: a browser cannot wait for a month to end.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve, stop } from './node.mjs'

const PASSWORD = 'Zaohua-kai-2026'
const PEOPLE = [
  { role: '系统管理员', login: 'xitong', name: '赵系统' },
  { role: '安全管理员', login: 'anquan', name: '钱安全' },
  { role: '审计管理员', login: 'shenji', name: '孙审计' },
]
const BEGAN_EARLIER = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
db.execute("UPDATE act_journal SET at = ? WHERE log_seq < 3", (int(sys.argv[2]),))
db.commit()
`

/** Noon of the tenth of last month in Beijing, in microseconds, and what the month is called. */
function lastMonth() {
  const now = new Date(Date.now() + 8 * 3_600_000)
  const day = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 10, 4))
  return { at: day.getTime() * 1000, title: `${day.getUTCFullYear()}年${day.getUTCMonth() + 1}月` }
}

export const stories = {
  async 'an auditor signs the month that is over, and corrects it by another edition'(visit) {
    const { page } = visit
    const folder = mkdtempSync(join(tmpdir(), 'mj-audit-'))
    const node = await serve(visit, folder, { MINGJIAN_ACCESS_SECOND_FACTOR: 'optional' })
    try {
      for (const { role, login, name } of PEOPLE) {
        const code = new RegExp(`${role}：\\s*(\\S+)`).exec(node.said)?.[1]
        const made = await fetch(`${node.base}/api/v1/enrolments`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
          body: JSON.stringify({ code, login, name, password: PASSWORD }),
        })
        assert.equal(made.status, 201, await made.text())
      }
      const month = lastMonth()
      const database = join(folder, 'db', 'mingjian.sqlite3')
      execFileSync('python3', ['-c', BEGAN_EARLIER, database, String(month.at)])

      visit.expectStatus(401)
      await page.goto(`${node.base}/desk/login`)
      await page.getByLabel('登录名').fill('shenji')
      await page.getByRole('textbox', { name: '密码' }).fill(PASSWORD)
      await page.getByRole('button', { name: '登录' }).click()
      await page.getByRole('link', { name: new RegExp(`^${month.title}审计报告`) }).click()
      await page.getByRole('heading', { level: 1, name: `${month.title}审计报告` }).waitFor()
      await page.getByText('以下是现在计算的数字').waitFor()
      await page.locator('[data-test=audit-part]').nth(3).waitFor()
      await visit.look('a month that waits')
      // three entries of that month: the number leads to them
      await page.getByRole('link', { name: '全部条目 3' }).click()
      await visit.until('the three entries are listed', async () => {
        await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight))
        return (await page.locator('[data-test=ledger-row]').count()) === 3
      })
      await page.goBack()

      await page.locator('[data-test=audit-sign]').click()
      assert.equal(await page.evaluate(() => document.activeElement?.id), 'audit-findings')
      await page.getByLabel('发现的问题').fill('未发现问题')
      await page.getByLabel('处理意见').fill('继续按月核对')
      await page.locator('[data-test=audit-sign]').click()
      await page.getByText('今天重新计算，与签署时完全相同').waitFor()
      await page.locator('[data-test=audit-signed]').getByText('孙审计').waitFor()
      await visit.look('a signed month')
      await page.emulateMedia({ media: 'print' })
      await page.locator('[data-test=audit-checkpoint]').waitFor()
      assert.equal(await page.locator('.topbar').isVisible(), false, 'paper has no menu')
      await page.emulateMedia({ media: 'screen' })
      const [receiptFile] = await Promise.all([
        page.waitForEvent('download'),
        page.locator('[data-test=audit-receipt]').click(),
      ])
      const receipt = JSON.parse(await readFile(await receiptFile.path(), 'utf8'))
      const [textFile] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: '下载原文' }).click(),
      ])
      const text = await readFile(await textFile.path())
      const digest = createHash('sm3').update(text).digest('hex')
      assert.ok(JSON.stringify(receipt).includes(digest), 'the receipt names the digest of the text')

      await page.locator('[data-test=audit-correct]').click()
      await page.getByLabel('更正的原因').fill('补充核对情况')
      await page.getByLabel('发现的问题').fill('未发现问题；已与备份登记核对')
      await visit.look('a correction')
      await page.locator('[data-test=audit-sign]').click()
      await visit.until(
        'two editions',
        async () => (await page.locator('[data-test=audit-edition]').count()) === 2,
      )
      await page.getByText('更正第 1 版：补充核对情况').first().waitFor()
      await page.getByRole('link', { name: '第 1 版' }).click()
      await page.getByText('这是第 1 版，已有更新的一版').waitFor()
      await page.getByRole('link', { name: '月度审计报告' }).first().click()
      await page
        .locator('[data-test=audit-month]')
        .filter({ hasText: month.title })
        .getByText('已签署，第 2 版')
        .waitFor()
      await visit.look('the months')
    } finally {
      await stop(node)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
