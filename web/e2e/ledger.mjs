// The auditor and the supervision log: an act is found, its proof recomputed, its receipt taken away.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { signIn } from './session.mjs'

/** Only rows in view are in the page, and on a phone the list begins below the fold. */
const down = (page) => page.evaluate(() => window.scrollTo(0, document.body.scrollHeight))

export const stories = {
  'an auditor finds an act in the log, sees its proof hold, and takes a receipt away': async (
    visit,
    world,
  ) => {
    const { page } = visit
    await signIn(visit, world, 'audit-admin')
    await page.goto('/desk/ledger')
    await page.getByRole('heading', { level: 1, name: '监管日志' }).waitFor()
    await page.locator('[data-test=ledger-q]').waitFor()
    await page.getByText('已签署').first().waitFor()
    const volumes = page.locator('[data-test=volumes]')
    // with one alone the list is folded
    if ((await volumes.getAttribute('open')) === null) await volumes.locator('summary').click()
    await volumes.getByText('当前一册', { exact: true }).waitFor()
    await visit.look('the volumes of the log')
    await down(page)
    await page.locator('[data-test=ledger-row]').first().waitFor()
    await visit.look('the log')
    // by who did it: a name, or a login; nothing typed stands in the address
    for (const who of ['安全管理员（演', 'sec-adm']) {
      await page.locator('[data-test=ledger-q]').fill(who)
      const [asked] = await Promise.all([
        page.waitForResponse((answer) => answer.url().includes('/log/entries')),
        page.getByRole('button', { name: '查找' }).click(),
      ])
      assert.doesNotMatch(decodeURIComponent(asked.url()), /sec-adm|安全/)
      const found = (await asked.json()).items
      assert.ok(found.length > 0, `nothing of ${who}`)
      assert.ok(
        found.every((one) => one.actor.startsWith('安全管理员（演示）')),
        JSON.stringify(found.map((one) => one.actor)),
      )
    }
    await visit.look('the log by who acted')
    await page.locator('[data-test=ledger-q]').fill('登记部门')
    await page.getByRole('button', { name: '查找' }).click()
    await down(page)
    const row = page.locator('[data-test=ledger-row]').filter({ hasText: '登记部门' }).first()
    await row.waitFor()
    await row.getByRole('link').first().click()
    await page.getByRole('heading', { level: 2, name: '存在证明' }).waitFor()
    await page.getByText('您的浏览器刚刚重新计算了每一层').waitFor()
    await visit.look('an entry with its proof')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('[data-test=receipt]').click(),
    ])
    const receipt = JSON.parse(await readFile(await download.path(), 'utf8'))
    assert.equal(receipt.format, 'mingjian-receipt-1')
    assert.equal(JSON.parse(receipt.entry).action, 'access.agency.create')
  },
  'the page of a record tells who did what, by what right, and where that stands in the log': async (
    visit,
    world,
  ) => {
    const { page } = visit
    await signIn(visit, world, 'supervisor')
    await page.goto('/desk/parties')
    await page.locator('[data-test=party-row]').first().getByRole('link').first().click()
    const panel = page.locator('[data-test=record-acts]')
    await panel.getByText('登记监管对象').first().waitFor()
    await panel.getByText('系统按规则办理').first().waitFor()
    await panel.getByText('已签署').first().waitFor()
    await visit.look('a record with its acts')
    await panel
      .getByRole('link', { name: /^第 \d+ 条$/ })
      .first()
      .click()
    await page.getByText('您的浏览器刚刚重新计算了每一层').waitFor()
    // who may not read the log sees the place, without a way in
    visit.expectStatus(401)
    await visit.context.clearCookies()
    await signIn(visit, world, 'sec-admin')
    await page.goto('/desk/accounts')
    await page.locator('[data-test=account-row]').first().getByRole('link').first().click()
    await panel
      .getByText(/^第 \d+ 条/)
      .first()
      .waitFor()
    assert.equal(await panel.getByRole('link').count(), 0)
  },
}
