// Stories of the page on which an integrator tries the API of the running node.
import assert from 'node:assert/strict'

async function open(page, words, name) {
  await page.getByLabel('筛选接口').fill(words)
  await page.locator('[data-test=operation]').filter({ hasText: name }).first().click()
  await page.getByRole('heading', { level: 2, name }).waitFor()
}

async function send(page) {
  await page.getByRole('button', { name: '发送请求' }).click()
  const status = page.locator('[data-test=status]')
  await status.waitFor()
  return ((await status.textContent()) ?? '').trim()
}

export const stories = {
  async 'an integrator without an account tries the API with a pasted token'(visit, world) {
    const { page } = visit
    visit.expectStatus(401)
    visit.expectStatus(404)
    visit.expectStatus(422)
    await page.goto('/desk/developer')
    await page.getByRole('heading', { level: 1, name: '接口调试' }).waitFor()
    await visit.look('developer page')
    await open(page, 'GET datahub/tables', '数据标准')
    assert.match(await send(page), /^401/)
    await visit.look('developer page, refused')
    const operator = world.accounts.find((one) => one.role === 'datahub_operator')
    const opened = await page.request.post('/api/v1/sessions', {
      data: { login: operator.login, password: operator.password },
    })
    const { token } = await opened.json()
    await visit.context.clearCookies()
    await page.getByLabel('令牌（Bearer）').fill(token)
    assert.match(await send(page), /^200/)
    assert.match((await page.locator('[data-test=body]').textContent()) ?? '', /check_action/)
    await open(page, 'post catalog mappings', '登记一条对应关系')
    const line = (await page.locator('pre').first().textContent()) ?? ''
    assert.ok(line.includes('Bearer $TOKEN') && !line.includes(token), 'the token stays out of the command')
    await page.getByLabel(/^请求内容/).fill('{')
    await page.getByRole('button', { name: '发送请求' }).click()
    await page.getByText(/不是合法的 JSON/).waitFor()
    await page
      .getByLabel(/^请求内容/)
      .fill(JSON.stringify({ cd_source: '370400', local_code: 'X', item_code: 'wrong' }))
    assert.match(await send(page), /^4(04|22)/)
    await visit.look('developer page, a create')
  },
  async 'a manager of the catalogue maps a code from the page with the session at hand'(visit, world) {
    const { page } = visit
    const operator = world.accounts.find((one) => one.role === 'datahub_operator')
    await page.goto('/desk/login')
    await page.getByLabel('登录名').fill(operator.login)
    await page.getByLabel('密码', { exact: true }).fill(operator.password)
    await page.getByRole('button', { name: '登录' }).click()
    await page.locator('#sidebar, .topbar').first().waitFor()
    await page.goto('/desk/developer')
    await page.getByRole('radio', { name: /^当前登录/ }).waitFor()
    await open(page, 'GET datahub/sources', '数据源')
    assert.match(await send(page), /^200/)
    const { items } = JSON.parse((await page.locator('[data-test=body]').textContent()) ?? '{}')
    await open(page, 'GET catalog/items', '查找监管事项')
    await page.getByLabel('kind', { exact: true }).fill('sub')
    assert.match(await send(page), /^200/)
    const listed = JSON.parse((await page.locator('[data-test=body]').textContent()) ?? '{}').items
    await open(page, 'post catalog mappings', '登记一条对应关系')
    const mapping = {
      cd_source: items[0].cd_source,
      local_code: `E2E-${world.size.width}-${Date.now()}`,
      item_code: listed[0].item_code,
    }
    await page.getByLabel(/^请求内容/).fill(JSON.stringify(mapping))
    assert.match(await send(page), /^201/)
    assert.ok(((await page.locator('[data-test=body]').textContent()) ?? '').includes(listed[0].name))
    // the same key again gives the same mapping, not a second one
    assert.match(await send(page), /^201/)
    await visit.look('developer page, a mapping entered')
  },
}
