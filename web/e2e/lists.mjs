// Stories of every list on the one table, of what takes long, and of what goes wrong between a browser and a node.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { personOf, rowsOf, signIn, textOf } from './clerk.mjs'

/** Who opens which list, the column they bring in and the one they take out, and a filter that fits. */
const LISTS = [
  ['supervisor', '/officers', 'officer-row', '人员编号', '人员性质', '有效', '?standing=in_force'],
  ['catalogue_manager', '/catalog/items', 'item-row', '主管部门', '实施清单', '在用', '?state=in_use'],
  ['catalogue_manager', '/catalog/implementations', 'implementation', '区划', '双随机', '', ''],
  ['datahub_operator', '/datahub/sources', 'source-row', '批次数', '应接日期', '在用', '?standing=in_use'],
  ['audit_admin', '/agencies', 'agency-row', '登记自', '简称', '市场', '?line=31'],
  ['audit_admin', '/accounts', 'account-row', '', '开设日期', '在用', '?state=active'],
]

async function save(page, format) {
  await page.locator('[data-test=export]').click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: format }).click(),
  ])
  return readFileSync(await download.path())
}

export const stories = {
  async 'every list of people, agencies, items and sources shows what one likes and leaves as what is seen'(
    visit,
    world,
  ) {
    const { page } = visit
    // one browser, one account after the other
    visit.expectStatus(401)
    for (const [role, path, row, wanted, unwanted, word, query] of LISTS) {
      await visit.context.clearCookies()
      await signIn(page, personOf(world, role))
      await page.goto(`/desk${path}${query}`)
      await rowsOf(page, row).first().waitFor()
      await page.locator('[data-test=columns]').click()
      if (wanted) await page.getByRole('checkbox', { name: wanted, exact: true }).check()
      await page.getByRole('checkbox', { name: unwanted, exact: true }).uncheck()
      await page.keyboard.press('Escape')
      await page.reload()
      await rowsOf(page, row).first().waitFor()
      const heads = (await page.locator('thead th').allTextContents()).map((one) => one.trim())
      assert.ok((!wanted || heads.includes(wanted)) && !heads.includes(unwanted), `${path}: ${heads.join()}`)
      await visit.look(`${path} as one likes it`)
      const lines = (await save(page, 'CSV 文件')).toString('utf8').trim().split('\r\n')
      assert.deepEqual(lines[0].replace('\uFEFF', '').split(','), heads, `${path}: the columns that are seen`)
      assert.ok(lines.length > 1, `${path}: the rows`)
      if (word)
        assert.ok(
          lines.slice(1).every((line) => line.includes(word)),
          `${path}: the same filter`,
        )
      const foot = await textOf(page.locator('.card-foot'))
      const shown = Number(/[\d,]+/.exec(foot)?.[0].replaceAll(',', ''))
      if (foot.startsWith('共')) assert.equal(lines.length - 1, shown, `${path}: the same count`)
      assert.equal((await save(page, 'Excel 文件（XLSX）')).subarray(0, 2).toString(), 'PK')
      await page.goto(`/desk${path}?colour=red`)
      await page.getByText('地址里的筛选“colour”本页没有，已忽略。').waitFor()
    }
  },
}
