// What comes in from elsewhere stays text: names in a department's file, notes on a work item, reports of citizens.
// And what a browser keeps holds nobody's number.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { aRecord } from './public.mjs'
import { call, PAYLOADS, signIn } from './session.mjs'
import { newUscc } from './sheet.mjs'

/** What a report may hold, and how many one address may send in an hour. */
const REPORT = { characters: 500, hourly: 6 }

/** A request of somebody at another address of this machine: each has its own hourly measure. */
function from(address, base, path, form) {
  const body = form && new URLSearchParams(form).toString()
  const options = {
    host: '127.0.0.1',
    port: new URL(base).port,
    localAddress: address,
    path,
    method: form ? 'POST' : 'GET',
    headers: form ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
  }
  return new Promise((resolve, reject) => {
    const asked = request(options, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part) => (text += part))
      answer.on('end', () => resolve({ status: answer.statusCode, text }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** The payloads in as few texts of so many characters as they fit. */
function packed(most) {
  const texts = []
  for (const payload of PAYLOADS) {
    const last = texts.at(-1)
    if (last !== undefined && last.length + payload.length < most)
      texts[texts.length - 1] = `${last}\n${payload}`
    else texts.push(payload)
  }
  // what somebody sends is kept without the blanks around it
  return texts.map((text) => text.trim())
}

async function staysText(visit, what, shown) {
  const { page } = visit
  await page.getByText(shown, { exact: false }).first().waitFor()
  assert.equal(await page.evaluate(() => window.__xss), undefined, what)
  const live = await page
    .locator('main :is(script, iframe, object, embed, [onerror], [onload], a[href^="javascript"])')
    .count()
  assert.equal(live, 0, `${what}: something of it is no text`)
}

export const stories = {
  async 'two hundred scripts in a file, in notes and in reports of citizens stay text'(visit, world) {
    const { page } = visit
    assert.equal(PAYLOADS.length, 200)
    page.on('dialog', () => assert.fail('a script ran'))

    // the names of a department's file
    await signIn(visit, world, 'city-clerk')
    const sources = await (await page.request.get('/api/v1/datahub/sources?limit=200')).json()
    const source = sources.items.find(
      (one) => one.tables.length === 0 || one.tables.includes('object_enterprise'),
    )
    const mark = `枣试${world.size.width}${Date.now()}`
    const rows = [['主体身份代码', '统一社会信用代码', '企业名称', '法定代表人', '住所', '经营范围']]
    PAYLOADS.forEach((payload, at) => {
      rows.push([
        `X${world.size.width}${Date.now()}${at}`,
        newUscc(),
        `${payload}${mark}店`,
        payload.slice(0, 60),
        payload,
        payload,
      ])
    })
    const csv = rows.map((row) => row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')).join('\r\n')
    await page.goto('/desk/datahub/upload')
    await page.getByRole('combobox', { name: '数据表' }).click()
    await page.getByRole('option', { name: '企业法人', exact: true }).click()
    await page.getByRole('combobox', { name: '数据来源' }).click()
    await page.getByRole('option', { name: source.name }).first().click()
    const file = { name: '<img src=x onerror=alert(1)>.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) }
    await page.locator('#file').setInputFiles(file)
    await page.getByRole('button', { name: '开始上报' }).click()
    const kept = PAYLOADS.length
    await page.getByText(`${kept} 条记录全部合格`).waitFor({ timeout: 60_000 })
    await page.getByRole('link', { name: '查看批次和错误原因' }).click()
    await staysText(visit, 'a batch', source.name)
    const found = async () =>
      (
        await (
          await page.request.get('/api/v1/registry/parties?limit=200', {
            headers: { 'Mingjian-Search': encodeURIComponent(mark) },
          })
        ).json()
      ).items
    await visit.until('the parties are there', async () => (await found()).length === kept, 60_000)
    await page.goto(`/desk/parties?q=${encodeURIComponent(mark)}`)
    await staysText(visit, 'the list of parties', mark)
    await page.goto(`/search?q=${encodeURIComponent(mark)}`)
    await staysText(visit, 'the search of the portal', mark)
    const parties = await found()
    for (const party of parties.filter((_, at) => at % 10 === 0)) {
      await page.goto(`/desk/parties/${party.id}`)
      await staysText(visit, party.name, mark)
      await page.goto(`/parties/${party.register_no}`)
      await staysText(visit, party.name, mark)
    }

    // reports of citizens, from several addresses
    const clerk = world.accounts.find((one) => one.role === 'clerk' && one.agency)
    const { party, act } = await aRecord(visit, clerk.agency)
    const reported = []
    for (const [at, said] of packed(REPORT.characters).entries()) {
      const address = `127.0.${world.size.width % 250}.${10 + Math.floor(at / (REPORT.hourly - 1))}`
      const path = `/parties/${party.register_no}/wrong?line=${act.line}`
      const form = await from(address, world.base, path)
      const value = (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(form.text)?.[1] ?? ''
      const sent = { line: value('line'), token: value('token'), fault: value('fault'), said }
      const answer = await from(address, world.base, path.split('?')[0], sent)
      assert.equal(answer.status, 200, answer.text.slice(0, 2000))
      const receipt = (name) => new RegExp(`data-receipt="?${name}"?[^>]*>([^<]*)<`).exec(answer.text)?.[1]
      reported.push({ said, number: receipt('number'), code: receipt('code') })
    }
    const path = '/api/v1/flow/work-items?kind=portal_correction&limit=200'
    const items = (await (await page.request.get(path)).json()).items
    for (const { said, number, code } of reported) {
      const item = items.findLast((one) => one.payload.said === said)
      assert.ok(item, `${number} is a work item`)
      await page.goto(`/desk/work-items/${item.id}`)
      await staysText(visit, said, said.split('\n')[0].slice(0, 40))
      await page.goto('/corrections')
      await page.getByLabel('编号').fill(number)
      await page.getByLabel('查询码').fill(code)
      await page.getByRole('button', { name: '查询', exact: true }).click()
      await staysText(visit, said, said.split('\n')[0].slice(0, 40))
    }

    // notes on one of them
    const item = items.findLast((one) => one.payload.said === reported[0].said)
    for (const reason of packed(REPORT.characters)) {
      const now = (await call(page, 'GET', `/flow/work-items/${item.id}`)).body
      const claimed = await call(page, 'POST', `/flow/work-items/${item.id}/claim`, { version: now.version })
      assert.equal(claimed.status, 200, JSON.stringify(claimed.body))
      const back = { version: claimed.body.version, reason }
      const returned = await call(page, 'POST', `/flow/work-items/${item.id}/return`, back)
      assert.equal(returned.status, 200, JSON.stringify(returned.body))
    }
    await page.goto(`/desk/work-items/${item.id}`)
    await staysText(visit, 'the steps of a work item', PAYLOADS.at(-1).slice(0, 40))
    await page.goto('/desk/work-items')
    await page.locator('[data-test=work-row]').first().waitFor()
    assert.equal(await page.evaluate(() => window.__xss), undefined)
  },

  async 'nothing that a browser keeps holds the number of a person'(visit, world) {
    const { page } = visit
    await signIn(visit, world, 'city-clerk')
    const list = (await call(page, 'GET', '/registry/parties?kind=enterprise&limit=100')).body.items
    let revealed
    for (const one of list) {
      const file = (await call(page, 'GET', `/registry/parties/${one.id}`)).body
      const field = file.fields.find((known) => known.masked && /phone|id_no/.test(known.name))
      if (!field) continue
      const wish = { field: field.name, reason: '核对处罚决定书送达地址' }
      const seen = await call(page, 'POST', `/reveals/party/${one.id}`, wish)
      assert.equal(seen.status, 200, JSON.stringify(seen.body))
      revealed = { id: one.id, field, value: seen.body.value }
      break
    }
    assert.match(revealed.value, /^\d{10,17}[\dX]$/)
    for (const path of [
      '/desk/',
      '/desk/parties',
      `/desk/parties/${revealed.id}`,
      '/desk/parties?kind=person',
      '/desk/work-items',
      '/desk/officers',
      '/desk/datahub/upload',
      `/desk/parties?q=${revealed.value}`,
      `/search?q=${revealed.value}`,
    ]) {
      await page.goto(path)
      await page.locator('h1').first().waitFor()
    }
    // seen in clear on the page, once more
    await page.goto(`/desk/parties/${revealed.id}`)
    await page
      .getByRole('button', { name: `查看明文：${revealed.field.title}` })
      .first()
      .click()
    await page.getByLabel('为什么要查看').fill('核对处罚决定书送达地址')
    await page.locator('.el-drawer').getByRole('button', { name: '查看', exact: true }).click()
    await page.locator('[data-test=clear]').first().waitFor()
    const kept = await page.evaluate(async () => {
      const parts = [
        JSON.stringify({ ...localStorage }),
        JSON.stringify({ ...sessionStorage }),
        document.cookie,
      ]
      for (const { name } of await indexedDB.databases()) {
        const db = await new Promise((resolve, reject) => {
          const opened = indexedDB.open(name)
          opened.onsuccess = () => resolve(opened.result)
          opened.onerror = () => reject(opened.error)
        })
        for (const store of db.objectStoreNames) {
          const all = db.transaction(store).objectStore(store).getAll()
          await new Promise((resolve) => (all.onsuccess = resolve))
          parts.push(JSON.stringify(all.result))
        }
        db.close()
      }
      for (const name of await caches.keys()) {
        const cache = await caches.open(name)
        for (const one of await cache.keys()) parts.push(one.url, await (await cache.match(one)).text())
      }
      return parts.join('\n')
    })
    // the looking itself works: what the browser may keep is found
    assert.ok(kept.length > 20, kept)
    assert.ok(!kept.includes(revealed.value), 'the revealed value stays in the browser')
    const numbers = kept.match(/(?<!\d)(?:[1-9]\d{16}[\dX]|1[3-9]\d{9})(?!\d)/g) ?? []
    assert.deepEqual(numbers, [], 'a number of a person stays in the browser')
  },
}
