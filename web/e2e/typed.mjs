// What somebody types to find somebody stands in no address, and nowhere the browser keeps anything.
import assert from 'node:assert/strict'
import { call, signIn } from './session.mjs'

/** Everything this browser asked for, and every address its bar showed. */
function listen(page) {
  const addresses = []
  page.on('request', (request) => addresses.push(request.url()))
  page.on('framenavigated', (frame) => addresses.push(frame.url()))
  return addresses
}

const stored = (page) =>
  page.evaluate(() =>
    JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state]),
  )

export const stories = {
  async 'what is typed to find somebody stands in no address, and Back shows it again'(visit, world) {
    const { page } = visit
    await signIn(visit, world, 'datahub')
    const { body } = await call(page, 'GET', '/registry/parties?kind=enterprise&limit=1')
    const name = body.items[0].name
    const addresses = listen(page)
    await page.goto('/desk/parties')
    const box = page.locator('[data-test=party-search]')
    const rows = page.locator('[data-test=party-row]')
    await rows.first().waitFor()
    const before = page.url()
    await box.fill(name)
    await box.press('Enter')
    const hit = rows.filter({ hasText: name }).first()
    await visit.until('only what was looked for is left', async () => (await rows.count()) <= 3)
    await hit.waitFor()
    assert.equal(page.url(), before)
    await hit.getByRole('link').first().click()
    await page.getByRole('heading', { level: 1, name }).waitFor()
    await page.goBack()
    await hit.waitFor()
    assert.equal(await box.inputValue(), name, 'Back shows what was typed')
    await page.goBack()
    await visit.until('one step further back nothing was typed', async () => (await box.inputValue()) === '')
    await page.goForward()
    await visit.until('and forward it was', async () => (await box.inputValue()) === name)
    await hit.waitFor()
    await page.getByRole('button', { name: '清除筛选' }).first().click()
    await visit.until('cleared', async () => (await box.inputValue()) === '')

    // a link from before, or one that somebody typed, is taken in and leaves the address
    await page.evaluate((path) => window.location.assign(path), `/desk/parties?kind=enterprise&q=abc`)
    await page.waitForURL((url) => url.search === '?kind=enterprise')
    await visit.until('taken in', async () => (await box.inputValue()) === 'abc')

    // the box for everything, and the log
    await page.goto('/desk/home')
    const find = page.locator('[data-test=find]:visible').first()
    await find.fill(name)
    await page.getByRole('option', { name }).first().waitFor()
    const encoded = encodeURIComponent(name)
    const told = addresses.filter((one) => one.includes(encoded) || one.includes(name))
    assert.deepEqual(told, [], 'no address holds the name')
    assert.ok(!(await stored(page)).includes(name), 'nor does the browser keep it')
    assert.ok(addresses.some((one) => one.includes('/api/v1/search')) && addresses.length > 10)
  },
}
