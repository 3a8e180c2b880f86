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
    // the link to the list where one is asks for all of it, as it does from elsewhere
    await box.fill(name)
    await box.press('Enter')
    await visit.until('found again', async () => (await rows.count()) <= 3)
    await page.locator('#sidebar a[href="/desk/parties"]').evaluate((link) => link.click())
    await visit.until('all of it', async () => (await box.inputValue()) === '' && (await rows.count()) > 3)

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

  async 'what is typed to narrow one code list does not narrow the next, and Back narrows the first again'(
    visit,
    world,
  ) {
    const { page } = visit
    await signIn(visit, world, 'datahub')
    const { body } = await call(page, 'GET', '/datahub/code-lists')
    const [first, other] = body.items.filter((one) => one.values > 5)
    await page.goto(`/desk/datahub/code-lists/${first.list}`)
    const box = page.locator('#main input[type=search]').first()
    await box.fill('没有这样的取值')
    const find = page.locator('[data-test=find]:visible').first()
    // a phone has the box for everything on its first page only
    const isWide = await find.isVisible()
    if (isWide) {
      await find.fill(other.list)
      await page.getByRole('option', { name: other.title }).first().click()
    } else {
      await page.locator('#main a.back').click()
      await page.getByRole('link', { name: other.title, exact: true }).click()
    }
    await page.getByRole('heading', { level: 1, name: other.title }).waitFor()
    assert.equal(await box.inputValue(), '', 'the next list is whole')
    await page.goBack()
    if (!isWide) await page.goBack()
    await page.getByRole('heading', { level: 1, name: first.title }).waitFor()
    assert.equal(await box.inputValue(), '没有这样的取值')
  },

  async 'a number typed into any box stays in the page, and whoever signs in next does not see it'(
    visit,
    world,
  ) {
    const { page } = visit
    const number = '370402199001011237'
    const addresses = listen(page)
    const says = async (where) => {
      const history = await page.evaluate(() => navigation.entries().map((one) => one.url))
      const told = [...addresses, ...history, await stored(page)].filter((one) => one.includes(number))
      assert.deepEqual(told, [], where)
    }
    const typedInto = async (box, path) => {
      await box.fill(number)
      const asked = page.waitForRequest((request) => request.url().includes(path))
      await box.press('Enter')
      assert.equal((await asked).headers()['mingjian-search'], number, 'the server is asked by header')
    }
    await signIn(visit, world, 'city-clerk')
    const everywhere = page.locator('[data-test=find]:visible').first()
    await everywhere.waitFor()
    await typedInto(everywhere, '/api/v1/search')
    await says('the box for everything')
    await page.goto('/desk/parties')
    const parties = page.locator('[data-test=party-search]')
    await page.locator('[data-test=party-row]').first().waitFor()
    await typedInto(parties, '/api/v1/registry/parties')
    await page.locator('.empty').first().waitFor()
    await says('the list of parties')

    // the next person at this browser goes back: the list is there, the number is not
    await page.locator('.account > button').click()
    await page.getByRole('button', { name: '退出登录' }).click()
    const next = world.accounts.find((one) => one.login === 'datahub')
    await page.getByLabel('登录名').fill(next.login)
    await page.getByRole('textbox', { name: '密码' }).fill(next.password)
    await page.getByRole('button', { name: '登录' }).click()
    await page.locator('#sidebar').waitFor({ state: 'attached' })
    await page.goBack()
    await page.locator('[data-test=party-row]').first().waitFor()
    assert.equal(await parties.inputValue(), '', 'the next person')

    await signIn(visit, world, 'audit-admin')
    await page.goto('/desk/ledger')
    const ledger = page.locator('[data-test=ledger-q]')
    await ledger.waitFor()
    await typedInto(ledger, '/api/v1/log/entries')
    await says('the log')
    await signIn(visit, world, 'sec-admin')
    await page.goto('/desk/accounts')
    await page.locator('[data-test=account-row]').first().waitFor()
    await typedInto(page.locator('#main input[type=search]').first(), '/api/v1/access/accounts')
    await says('the accounts')

    // an address of before, opened by nobody yet: what it looked for is not carried through the sign-in
    await page.context().clearCookies()
    await page.evaluate(() => localStorage.clear())
    await page.goto(`/desk/parties?kind=person&q=abcdef`)
    await page.waitForURL((url) => url.pathname.endsWith('/login'))
    assert.ok(page.url().includes('kind') && !page.url().includes('abcdef'), page.url())
  },
}
