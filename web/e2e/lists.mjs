// Stories of every list on the one table, of what takes long, and of what goes wrong between a browser and a node.
import assert from 'node:assert/strict'
import {
  colleague,
  faultyBatch,
  PEOPLE,
  personOf,
  program,
  rowsOf,
  signIn,
  sourceFor,
  textOf,
} from './clerk.mjs'
import { linesOf, save } from './session.mjs'
import { newSheet, newUscc } from './sheet.mjs'

/** Who opens which list, the column they bring in and the one they take out, and a filter that fits. */
const LISTS = [
  ['supervisor', '/officers', 'officer-row', '人员编号', '人员性质', '有效', '?standing=in_force'],
  ['catalogue_manager', '/catalog/items', 'item-row', '主管部门', '实施清单', '在用', '?state=in_use'],
  ['catalogue_manager', '/catalog/implementations', 'implementation', '区划', '双随机', '', ''],
  ['datahub_operator', '/datahub/sources', 'source-row', '批次数', '应接日期', '在用', '?standing=in_use'],
  ['audit_admin', '/agencies', 'agency-row', '登记自', '条线', '市场', '?line=31'],
  ['audit_admin', '/accounts', 'account-row', '', '开设日期', '在用', '?state=active'],
  ['reviewer', '/posts', 'post-row', '发布时间', '栏目', '已发布', '?state=published'],
  [
    'region_leader',
    '/leader/rows/B01',
    'figure-row',
    '说明',
    '区划',
    '',
    '?part=numerator&table=force_action',
  ],
]

/** So many rows that a load of them is still under way when a person has read the page and pressed. */
const LONG_LOAD = 60_000

function longSheet() {
  const stamp = `${Date.now()}${Math.floor(Math.random() * 1e5)}`
  const lines = ['主体身份代码,统一社会信用代码,企业名称,组织类别,法定代表人,住所,成立日期']
  for (let n = 0; n < LONG_LOAD; n += 1) {
    lines.push(
      `L1${stamp}${n},${newUscc()},枣庄长单${stamp.slice(-6)}第${n}商贸有限公司,11,李明,山东省枣庄市市中区文化路 ${n} 号,2016-05-18`,
    )
  }
  return `${lines.join('\r\n')}\r\n`
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
      const lines = await linesOf(page)
      assert.match(lines.pop() ?? '', /^导出人：.*请勿外传/, 'whose copy it is')
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

  async 'a page of before an upgrade says so, and nothing that was typed is lost by loading it anew'(
    visit,
    world,
  ) {
    const { page } = visit
    visit.expectStatus(404)
    await faultyBatch(visit, world)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/work-items?kind=batch_errors&sort=-created')
    await rowsOf(page, 'work-row').first().getByRole('link').click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '认领' }).click()
    await drawer.getByLabel('判断理由').fill('升级前写下的理由')
    assert.equal(await page.locator('[data-test=newer]').count(), 0)
    // the node gives another first script from now on, and a part that was not loaded yet is gone
    await page.route('**/desk/', async (route) => {
      const answer = await route.fetch()
      const body = (await answer.text()).replace(/index-[\w-]+\.js/, 'index-Upgraded.js')
      await route.fulfill({ response: answer, body })
    })
    await page.route('**/assets/AgencyListPage-*.js', (route) => route.fulfill({ status: 404, body: '' }))
    await page.waitForTimeout(400)
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'hidden' })
    if (page.viewportSize().width < 720) await page.getByRole('button', { name: '菜单', exact: true }).click()
    await page.locator('#sidebar').getByRole('link', { name: '部门机构' }).click()
    await page.locator('[data-test=newer]').filter({ hasText: '系统已升级' }).waitFor()
    visit.noise = visit.noise.filter((line) => !/dynamically imported|Failed to fetch/.test(line))
    await visit.look('a page of before an upgrade')
    await page.unroute('**/desk/')
    await page.unroute('**/assets/AgencyListPage-*.js')
    await page.getByRole('button', { name: '刷新页面' }).click()
    await page.locator('[data-test=newer]').waitFor({ state: 'detached' })
    await rowsOf(page, 'work-row').first().getByRole('link').click()
    await page.locator('[data-test=draft]').waitFor()
    assert.equal(await page.getByLabel('判断理由').inputValue(), '升级前写下的理由')
  },

  async 'who sends a large file or takes a list away sees how far it is and may stop it, and nothing came in'(
    visit,
    world,
  ) {
    const { page } = visit
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/datahub/batches')
    await rowsOf(page, 'batch-row').first().waitFor()
    const before = await textOf(rowsOf(page, 'batch-row').first().locator('.code'))
    await page.goto('/desk/datahub/upload')
    await page.getByRole('combobox', { name: '数据表' }).click({ force: true })
    await page.getByRole('option', { name: '企业法人', exact: true }).click()
    await visit.until(
      'the list is closed',
      async () => (await page.locator('.app-select:visible').count()) === 0,
    )
    await page.getByRole('combobox', { name: '数据来源' }).click({ force: true })
    await page.locator('.app-select:visible').getByRole('option').first().click()
    const line = await page.context().newCDPSession(page)
    await line.send('Network.enable')
    const slow = (bytes) =>
      line.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: bytes < 0 ? 0 : 20,
        downloadThroughput: bytes,
        uploadThroughput: bytes,
      })
    const { csv } = newSheet()
    const rows = csv.trim().split('\r\n')
    const large = `${csv}${`${rows[2]}\r\n`.repeat(20_000)}`
    await page.locator('#file').setInputFiles({
      name: '取消的文件.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(large, 'utf8'),
    })
    await slow(200_000)
    await page.getByRole('button', { name: '开始上报' }).click()
    await page.getByText(/正在上传 \d+%/).waitFor()
    await visit.look('a file on its way')
    await page.getByRole('button', { name: '取消上传' }).click()
    await page.getByText('已取消上传，没有数据进入系统。').waitFor()
    await slow(-1)
    await page.goto('/desk/datahub/batches')
    await rowsOf(page, 'batch-row').first().waitFor()
    assert.equal(
      await textOf(rowsOf(page, 'batch-row').first().locator('.code')),
      before,
      'no batch was made',
    )
    // few: what one person takes from a list is added up over the day
    await page.goto('/desk/parties?kind=self_employed&area=370402')
    await rowsOf(page, 'party-row').first().waitFor()
    await page.locator('[data-test=export]').click()
    await slow(4_000)
    await page.getByRole('button', { name: 'CSV 文件' }).click()
    await page.locator('[data-test=export-cancel]').click()
    await page.getByText('已取消导出，没有生成文件').waitFor()
    await slow(-1)
    assert.ok((await save(page, 'CSV 文件')).length > 1000, 'and another time it is given')
  },

  async 'an export over the cap is refused in words and nothing is shortened'(visit, world) {
    const { page } = visit
    visit.expectStatus(422)
    await signIn(page, personOf(world, PEOPLE.operator))
    await page.goto('/desk/parties')
    await rowsOf(page, 'party-row').first().waitFor()
    // no list of the small city is over the cap: the words are those `mj-web` gives, which its own test holds
    await page.route('**/registry/parties/export', (route) =>
      route.fulfill({
        status: 422,
        contentType: 'application/problem+json',
        body: JSON.stringify({
          type: 'about:blank',
          status: 422,
          code: 'export.too_many',
          title: '符合条件的记录超过 20000 条，没有导出',
          detail: '请先用筛选条件缩小范围，再分几次导出；需要全部数据时请走数据共享接口。',
        }),
      }),
    )
    await page.locator('[data-test=export]').click()
    await page.getByRole('button', { name: 'CSV 文件' }).click()
    const said = page.locator('[data-test=export-refused]')
    await said.filter({ hasText: '符合条件的记录超过 20000 条' }).waitFor()
    assert.match(await textOf(said), /请先用筛选条件缩小范围/)
    await visit.look('an export over the cap')
    assert.ok((await rowsOf(page, 'party-row').count()) > 0, 'the list stays')
    await page.unroute('**/registry/parties/export')
    await page.getByRole('button', { name: '知道了' }).click()
    await page.goto('/desk/parties?kind=self_employed&area=370405')
    await rowsOf(page, 'party-row').first().waitFor()
    const lines = await linesOf(page)
    assert.ok(lines.length > 2, 'narrowed, it is given')
  },

  async 'a load under way is stopped with a reason, nothing of it is taken in, and a colleague reads who and why'(
    visit,
    world,
  ) {
    const { page } = visit
    const clerk = personOf(world, PEOPLE.operator)
    const api = await program(visit, world, PEOPLE.operator)
    const source = await sourceFor(api, 'file')
    const query = { table: 'object_enterprise', cd_source: source.cd_source }
    const sheet = longSheet()
    await signIn(page, clerk)
    const { batch_id } = await api.send(query, sheet)
    const batch = () => api.get(`/datahub/batches/${batch_id}`)
    await page.goto(`/desk/datahub/batches/${batch_id}`)
    await page.locator('[data-test=stop-batch]').click()
    const drawer = page.getByRole('dialog')
    await drawer.getByRole('button', { name: '停止导入' }).click()
    await drawer.getByText('请写明').first().waitFor()
    await drawer.getByLabel('停止的原因').fill('传错了文件')
    await drawer.getByRole('button', { name: '停止导入' }).click()
    await page.getByText('停下时已检查').waitFor()
    const said = await textOf(rowsOf(page, 'stop-said'))
    assert.match(said, /传错了文件/)
    assert.equal(await rowsOf(page, 'stop-batch').count(), 0, 'what is over cannot be stopped')
    await rowsOf(page, 'act').filter({ hasText: '导入已停止' }).waitFor()
    await visit.look('a load that was stopped')
    const stopped = await batch()
    assert.equal(stopped.state, 'cancelled')
    assert.equal(stopped.counts.correct + stopped.counts.error, 0, 'nothing of it was taken in')
    assert.ok(stopped.stop.rows_judged < LONG_LOAD, 'it was stopped under way')
    const late = await api.post(`/datahub/batches/${batch_id}/cancel`, { reason: '再停一次' })
    assert.deepEqual([late.status, late.body.code], [409, 'datahub.stop_too_late'])

    const second = await colleague(visit, personOf(world, PEOPLE.reader))
    await second.page.goto('/desk/datahub/batches?state=cancelled&table=object_enterprise')
    const line = rowsOf(second.page, 'batch-row').filter({ hasText: stopped.cd_batch })
    await line.getByText('已取消').waitFor()
    await line.getByText('传错了文件').waitFor()

    // the same file again is the same batch; this time it is stopped from the list
    const again = await api.send(query, sheet)
    assert.equal(again.batch_id, batch_id)
    await page.goto('/desk/datahub/batches?table=object_enterprise')
    const row = rowsOf(page, 'batch-row').filter({ hasText: stopped.cd_batch })
    await row.locator('[data-test=stop-batch]').click()
    await drawer.getByLabel('停止的原因').fill('改到夜里再报')
    await drawer.getByRole('button', { name: '停止导入' }).click()
    await row.getByText('已取消').waitFor()
    await second.page.reload()
    await line.getByText('改到夜里再报').waitFor()
    assert.equal(await line.locator('[data-test=stop-batch]').count(), 0)
    await second.page.goto(`/desk/datahub/batches/${batch_id}`)
    await second.page.getByText('改到夜里再报').first().waitFor()
    await second.end()
    await api.end()
  },
}
