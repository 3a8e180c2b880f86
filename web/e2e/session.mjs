// Who is at the browser: signing in, asking the API as the page's own scripts would, taking a list away.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

/** Another person takes over this browser. */
export async function signIn(visit, world, login) {
  const { page } = visit
  const account = world.accounts.find((one) => one.login === login)
  assert.ok(account, `the demonstration has no ${login}`)
  // the browser still believes in the session before: it asks once and is told
  visit.expectStatus(401)
  await page.context().clearCookies()
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.getByRole('textbox', { name: '密码' }).fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.locator('#sidebar').waitFor({ state: 'attached' })
}

/** Through the page's own session, as its scripts would; what is looked for stands behind a `#`. */
export async function call(page, method, path, body) {
  return page.evaluate(
    async ([method, path, body]) => {
      const current = await (await fetch('/api/v1/sessions/current')).json()
      const [asked, typed = ''] = path.split('#')
      const answer = await fetch(`/api/v1${asked}`, {
        method,
        headers: {
          'content-type': 'application/json',
          'x-csrf-token': current.csrf_token,
          'idempotency-key': crypto.randomUUID(),
          'mingjian-search': encodeURIComponent(typed),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await answer.text()
      return { status: answer.status, body: text ? JSON.parse(text) : null }
    },
    [method, path, body],
  )
}

/** The list that is open, taken away: the bytes of the file. */
export async function save(page, format) {
  await page.locator('[data-test=export]').click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: format }).click(),
  ])
  return readFileSync(await download.path())
}

/** The same as lines of CSV: titles first, whose copy it is last. */
export const linesOf = async (page) => (await save(page, 'CSV 文件')).toString('utf8').trim().split('\r\n')

/** Two hundred scripts, one a line. */
export const PAYLOADS = readFileSync(new URL('./xss-payloads.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
