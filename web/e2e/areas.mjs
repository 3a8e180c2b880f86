// Where an agency and a grant are: a code that is none is told while it is typed, a zone's own code is explained, and
// what was registered wrongly is mended.
import assert from 'node:assert/strict'
import { call, signIn } from './session.mjs'

export const stories = {
  'a wrong division is told while it is typed, and a wrong registration is mended': async (visit, world) => {
    const { page } = visit
    const drawer = page.getByRole('dialog')
    const note = drawer.locator('[data-test=area-note]')
    await signIn(visit, world, 'sys-admin')
    const uscc = `11370${Date.now()}`
    const city = await call(page, 'GET', '/access/agencies?area=370400&limit=200')
    const above = city.body.items.find((one) => one.name === '枣庄市市场监督管理局')
    const made = await call(page, 'POST', '/access/agencies', {
      uscc,
      name: `枣庄市市场监管试验局${Date.now()}`,
      area_number: '370400',
      line: '16',
    })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    await page.goto(`/desk/agencies/${uscc}`)
    await page.getByRole('button', { name: '修改登记' }).click()
    await drawer.getByText('已有的记录仍属记录时的区划').waitFor()
    await note.getByText('370400 山东省枣庄市').waitFor()
    await drawer.getByLabel('行政区划代码').fill('999999')
    await note.getByText('行政区划代码 999999 不存在').waitFor()
    await visit.look('a division that is none')
    await drawer.getByLabel('修改理由').fill('登记时填错')
    await drawer.getByRole('button', { name: '确定' }).click()
    await drawer.locator('.error').getByText('行政区划代码 999999 不存在').waitFor()
    await drawer.getByLabel('行政区划代码').fill('370472')
    await note.getByText('按山东省枣庄市的自设区划（开发区等）登记').waitFor()
    await drawer.getByLabel('条线代码').fill('31')
    await drawer.getByRole('combobox', { name: '上级部门' }).fill(above.name)
    await page.getByRole('option', { name: above.name, exact: true }).click()
    await visit.look('a zone of its own')
    await drawer.getByRole('button', { name: '确定' }).click()
    await drawer.waitFor({ state: 'detached' })
    await page.getByRole('link', { name: above.name }).waitFor()
    const told = page.getByText('行政区划由山东省枣庄市（370400）改为山东省枣庄市内 370472')
    await told.first().waitFor()
    await visit.look('a mended registration')

    await signIn(visit, world, 'sec-admin')
    const found = await call(page, 'GET', '/access/accounts#liu.xinming')
    await page.goto(`/desk/accounts/${found.body.items[0].id}`)
    await page.getByRole('button', { name: '授予角色' }).click()
    await drawer.getByLabel('行政区划', { exact: true }).fill('370402，370472，999999')
    await note.getByText('370402 山东省枣庄市市中区').waitFor()
    await note.getByText('行政区划代码 999999 不存在').waitFor()
    await visit.look('what the areas of a grant are taken for')
  },
}
