// Stories of the portal: a citizen without an account, and the phone's face.
import assert from 'node:assert/strict'
import { PERSONAL } from './sheet.mjs'

/** An 18-digit citizen id or a mobile number in full. */
const CITIZEN_ID =
  /(?<![0-9A-Z])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX](?![0-9A-Z])/
const MOBILE = /(?<!\d)1[3-9]\d{9}(?!\d)/

async function assertNothingPersonal(page, what) {
  const html = await page.content()
  for (const value of Object.values(PERSONAL)) assert.ok(!html.includes(value), `${what}: personal data`)
  const text = await page.evaluate(() => document.body.innerText.replace(/[\d A-Z]*91[\dA-Z ]{16,}/g, ''))
  assert.doesNotMatch(text, CITIZEN_ID, `${what}: a citizen id`)
  assert.doesNotMatch(text, MOBILE, `${what}: a mobile number`)
}

export const stories = {
  async 'a citizen finds an enterprise and its public record, and nothing personal'(visit, world) {
    const { page } = visit
    await page.goto('/')
    await page.locator('h1').first().waitFor()
    await page.getByText('演示数据', { exact: true }).waitFor()
    await visit.look('portal home')
    const word = world.sheet?.word ?? '枣庄'
    const box = page.getByRole('searchbox').last()
    await box.fill(word)
    await box.press('Enter')
    await page.waitForURL(/\/search\?/)
    const results = page.locator('.results a')
    await results.first().waitFor()
    await visit.look('portal results')
    await assertNothingPersonal(page, 'portal results')
    await results.first().click()
    await page.waitForURL(/\/parties\//)
    if (world.sheet) {
      assert.equal((await page.locator('h1').first().textContent())?.trim(), world.sheet.goodName)
      const html = (await page.content()).replaceAll(' ', '')
      assert.ok(html.includes(world.sheet.goodUscc), 'the credit code is public')
    }
    await visit.look('portal record')
    await assertNothingPersonal(page, 'portal record')
  },

  async 'a citizen who finds nothing is told what to try'(visit) {
    const { page } = visit
    await page.goto('/search?q=%E4%B8%8D%E5%AD%98%E5%9C%A8%E7%9A%84%E4%BC%81%E4%B8%9A%E5%90%8D')
    await page.locator('.empty').waitFor()
    await visit.look('portal without results')
  },

  async 'a wrong address and a word too short are told on a page of the portal'(visit) {
    const { page } = visit
    visit.expectStatus(404)
    const answer = await page.goto('/no/such/page')
    assert.equal(answer?.status(), 404)
    await page.getByRole('heading', { level: 1, name: '没有这个页面' }).waitFor()
    await visit.look('portal without the page')
    const nobody = await page.goto('/parties/P370400-999999999')
    assert.equal(nobody?.status(), 404)
    await page.getByRole('heading', { level: 1, name: '没有这份公示信息' }).waitFor()
    await page.goto('/search?q=a')
    await page.getByText('请至少输入两个字').waitFor()
    await visit.look('portal, query too short')
  },

  async 'large type and high contrast stay on the device'(visit) {
    const { page } = visit
    await page.goto('/')
    await page.getByRole('link', { name: '长者版' }).click()
    await page.getByRole('link', { name: '高对比' }).click()
    await page.reload()
    const kept = await page.evaluate(() => ({ ...document.documentElement.dataset }))
    assert.equal(kept.size, 'large')
    assert.equal(kept.contrast, 'high')
    await visit.look('portal, large and high contrast')
    await page.goto('/search?q=%E6%9E%A3%E5%BA%84')
    await page.locator('.results a').first().click()
    await page.waitForURL(/\/parties\//)
    await visit.look('portal record, large and high contrast')
    await page.getByRole('link', { name: '标准版' }).click()
    assert.equal(await page.evaluate(() => document.documentElement.dataset.size), 'normal')
  },

  async 'the phone says honestly that inspection comes later'(visit) {
    const { page } = visit
    await page.goto('/m/')
    await page.getByText('移动检查将在后续版本提供。').waitFor()
    await visit.look('phone')
    await page.getByRole('link', { name: '打开工作台' }).click()
    await page.waitForURL(/\/desk\//)
  },
}
