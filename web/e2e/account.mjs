// One's own account: an authenticator bound, a login in two steps, an unknown device sent out.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'

const CLERK = 'reviewer'

/** What an authenticator shows (RFC 6238), `ahead` steps of 30 seconds from now. */
export function totp(secret, ahead = 0) {
  const bits = [...secret.replace(/[\s=]/g, '')].map((c) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'),
  )
  const key = Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead))
  const mac = createHmac('sha1', key).update(counter).digest()
  const at = mac[19] & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

function person(world, login) {
  const found = world.accounts.find((one) => one.login === login)
  assert.ok(found, `the demonstration has no ${login}`)
  return found
}

async function typePassword(page, account) {
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.getByRole('textbox', { name: '密码' }).fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
}

export const stories = {
  'a reviewer binds an authenticator, logs in in two steps and uses a code from paper': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const account = person(world, CLERK)
    await typePassword(page, account)
    await page.locator('#sidebar').waitFor({ state: 'attached' })
    await page.goto('/desk/me')
    await page.getByRole('heading', { level: 1, name: '我的账号' }).waitFor()
    await page.getByText('未绑定').waitFor()
    await visit.look('my account')
    await page.getByRole('button', { name: '绑定动态口令' }).click()
    await page.getByRole('img', { name: '绑定用的二维码' }).waitFor()
    await visit.look('binding an authenticator')
    await page.getByRole('button', { name: '完成绑定' }).click()
    await page.getByText('请输入 6 位数字。').waitFor()
    const secret = await page.locator('.steps .code').innerText()
    // a wrong code is told at its field, where whoever typed it looks
    visit.expectStatus(401)
    await page.getByLabel('手机上的 6 位数字').fill('000000')
    await page.getByRole('button', { name: '完成绑定' }).click()
    await page.getByText('动态口令不正确').waitFor()
    await page.locator('#setup-code:focus').waitFor()
    const isSeen = (one) => one.getBoundingClientRect().bottom < innerHeight
    assert.ok(await page.locator('#setup-code-error').evaluate(isSeen), 'and is not out of sight')
    await page.getByLabel('手机上的 6 位数字').fill(totp(secret, -1))
    await page.getByRole('button', { name: '完成绑定' }).click()
    await page.getByRole('heading', { name: '请抄下恢复码' }).waitFor()
    await visit.look('recovery codes')
    const codes = await page.locator('.codes li').allInnerTexts()
    assert.equal(codes.length, 10)
    // on paper stand the codes and whose they are, and nothing else
    await page.evaluate(() => {
      window.print = () => document.body.setAttribute('data-printed', '')
    })
    await page.getByRole('button', { name: '打印' }).click()
    await page.locator('body[data-printed]').waitFor()
    await page.emulateMedia({ media: 'print' })
    const paper = (await page.locator('body').innerText()).split(/\s+/).filter((word) => word !== '')
    assert.deepEqual(paper, [`账号“${account.login}”的恢复码`, ...codes])
    await page.emulateMedia({ media: 'screen' })
    // they are shown this once: nobody leaves by mistake
    await page.locator('header .brand').click()
    await page.getByText('请先抄下恢复码').waitFor()
    assert.equal(await page.locator('.codes li').count(), 10)
    await page.getByLabel('我已抄下恢复码').check()
    await page.getByRole('button', { name: '继续' }).click()
    await page.getByText('还剩 10 个恢复码').waitFor()

    await page.context().clearCookies()
    visit.expectStatus(401)
    await typePassword(page, account)
    await page.getByRole('heading', { level: 1, name: '输入动态口令' }).waitFor()
    await visit.look('the second step')
    await page.getByLabel('动态口令').fill('00')
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByText('请输入 6 位数字。').waitFor()
    await page.getByLabel('动态口令').fill(totp(secret, 0))
    await page.getByRole('button', { name: '登录' }).click()
    await page.locator('#sidebar').waitFor({ state: 'attached' })

    await page.context().clearCookies()
    await typePassword(page, account)
    await page.getByRole('button', { name: '手机不在身边，用恢复码' }).click()
    await page.getByLabel('恢复码').fill('AAAAAA-BBBBBB')
    await page.getByRole('button', { name: '登录' }).click()
    await page.getByText('恢复码不正确，或者已经用过').waitFor()
    await page.getByLabel('恢复码').fill(codes[3].toLowerCase())
    await page.getByRole('button', { name: '登录' }).click()
    await page.locator('#sidebar').waitFor({ state: 'attached' })

    // as it was, for the next width and for other stories
    await page.goto('/desk/me')
    page.once('dialog', (dialog) => dialog.accept())
    await page.getByRole('button', { name: '停用' }).click()
    await page.getByText('未绑定').waitFor()
  },

  'a clerk sends out a device she does not know': async (visit, world) => {
    const { page } = visit
    const account = person(world, CLERK)
    const other = await visit.context.browser().newContext({ baseURL: world.base })
    const opened = await other.request.post('/api/v1/sessions', {
      data: { login: account.login, password: account.password },
    })
    const { token } = await opened.json()
    const asks = () =>
      other.request.get('/api/v1/sessions/current', { headers: { authorization: `Bearer ${token}` } })
    assert.equal((await asks()).status(), 200)
    await typePassword(page, account)
    await page.locator('#sidebar').waitFor({ state: 'attached' })
    await page.goto('/desk/me')
    const table = page.getByRole('region', { name: '登录设备' }).first()
    await table.getByText('本机').waitFor()
    await table.getByRole('button', { name: '退出' }).first().click()
    await page.getByText('该设备已退出。').waitFor()
    while ((await table.getByRole('button', { name: '退出' }).count()) > 0) {
      await table.getByRole('button', { name: '退出' }).first().click()
      await page.waitForTimeout(200)
    }
    assert.equal((await asks()).status(), 401)
    await other.close()
  },

  'a refused password is told at its field, once, and a page without the right is not asked for': async (
    visit,
    world,
  ) => {
    const { page } = visit
    const account = person(world, 'catalogue')
    visit.expectStatus(422)
    visit.expectStatus(401)
    await typePassword(page, account)
    await page.locator('#sidebar').waitFor({ state: 'attached' })
    await page.goto('/desk/me')
    const fill = async (current, next) => {
      await page.getByLabel('现在的密码').fill(current)
      await page.getByLabel('新密码', { exact: true }).fill(next)
      await page.getByLabel('再输一遍新密码').fill(next)
      await page.getByRole('button', { name: '修改密码' }).click()
    }
    await fill(account.password, '短')
    const next = page.getByLabel('新密码', { exact: true })
    await page.locator('#me-next[aria-invalid=true]').waitFor()
    const said = await page.locator('#me-next-error').innerText()
    assert.ok(said.length > 4, said)
    assert.equal(await page.getByText(said, { exact: true }).count(), 1, 'said once')
    assert.ok(await next.evaluate((field) => field === document.activeElement), 'and the cursor is there')
    await visit.look('a refused password')
    await fill('不是这个密码2026', 'Shiliu-hong-kai-2027')
    await page.locator('#me-current[aria-invalid=true]').waitFor()
    assert.match(await page.locator('#me-current-error').innerText(), /^现在的密码不正确/)
    assert.equal(await page.locator('#me-next-error').innerText(), '', 'what was said before is gone')

    const asked = []
    page.on('request', (request) => asked.push(new URL(request.url()).pathname))
    for (const path of ['/desk/ledger', '/desk/refusals', '/desk/accounts']) {
      await page.goto(path)
      await page.getByRole('heading', { level: 1, name: '您没有打开这一页的权限' }).waitFor()
    }
    await visit.look('a page without the right')
    const refused = asked.filter((path) =>
      /\/api\/v1\/(log\/(?!standing)|access\/(refusals|accounts))/.test(path),
    )
    assert.deepEqual(refused, [], 'nothing is asked that would be refused')
    await page.getByRole('link', { name: '回到' }).first().click()
    await page.waitForURL(/home/)
  },
}
