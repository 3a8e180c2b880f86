// The sealed code of two holders: an empty press, wrong halves, then both right ones; an administrator is brought back,
// and the others are told. On a node of its own, where nobody signs in and a code has just been sealed at the machine.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BINARY, serve, stop } from './node.mjs'

const PASSWORD = 'Zaohua-kai-2026'
const NEW = 'Shiliu-hong-2027'
const SETTINGS = { MINGJIAN_ACCESS_SECOND_FACTOR: 'optional' }
const PEOPLE = [
  { role: '系统管理员', login: 'xitong', name: '赵系统' },
  { role: '安全管理员', login: 'anquan', name: '钱安全' },
  { role: '审计管理员', login: 'shenji', name: '孙审计' },
]
const WRONG = ['AAAAAA-AAAAAA-AAAAAA-AAAAAA', 'BBBBBB-BBBBBB-BBBBBB-BBBBBB']

async function post(node, path, body) {
  const answer = await fetch(`${node.base}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
    body: JSON.stringify(body),
  })
  return { status: answer.status, body: await answer.json() }
}

/** As the administrator of rights does at the machine, beside the running node. */
function seal(folder) {
  const said = execFileSync(
    BINARY,
    [
      'emergency',
      'seal',
      '--data-dir',
      folder,
      '--first-holder',
      '李主任',
      '--second-holder',
      '周科长',
    ].concat(['--by', 'anquan', '--reason', '年度封存']),
    { input: `${PASSWORD}\n`, encoding: 'utf8', env: { ...process.env, ...SETTINGS } },
  )
  return said
    .trim()
    .split('\n')
    .map((line) => line.split('\t')[2])
}

export const stories = {
  async 'two holders with the sealed code bring an administrator back, and the others are told'(visit) {
    const { page } = visit
    const folder = mkdtempSync(join(tmpdir(), 'mj-emergency-'))
    const node = await serve(visit, folder, SETTINGS)
    try {
      for (const { role, login, name } of PEOPLE) {
        const code = new RegExp(`${role}：\\s*(\\S+)`).exec(node.said)?.[1]
        const made = await post(node, '/enrolments', { code, login, name, password: PASSWORD })
        assert.equal(made.status, 201, JSON.stringify(made.body))
      }
      const halves = seal(folder)
      // somebody keeps one administrator out on purpose
      for (let tries = 0; tries < 5; tries += 1)
        await post(node, '/sessions', { login: 'xitong', password: 'x' })

      await page.goto(`${node.base}/desk/login`)
      await page.getByRole('link', { name: '管理员都进不来？启用应急' }).click()
      await page.getByRole('heading', { level: 1, name: '应急启用' }).waitFor()
      await visit.look('the page of two holders')
      const [first, second, reason] = ['第一份启用码', '第二份启用码', '启用理由'].map((one) =>
        page.getByLabel(one),
      )
      const press = page.getByRole('button', { name: '启用应急' })
      await press.click()
      await page.getByText('请输入这一份启用码，共 24 位字母和数字。').first().waitFor()
      await page.getByText('请写明启用理由。').waitFor()
      assert.ok(
        await first.evaluate((one) => one === document.activeElement),
        'the first wrong field has the focus',
      )
      await visit.look('an empty press')
      await first.fill(WRONG[0].slice(0, 9))
      await second.fill(WRONG[1])
      await press.click()
      await page.getByText('启用码应为 24 位字母和数字，现在是 8 位，请对照纸上核对。').waitFor()
      await first.fill(WRONG[1])
      await reason.fill('三位管理员的手机同时损坏，按应急预案第4条')
      await press.click()
      await page.getByText('两份是同一个码，请由另一位保管人输入另一份。').waitFor()
      await first.fill(WRONG[0])
      visit.expectStatus(401)
      await press.click()
      await page.getByText('应急启用码不正确').waitFor()
      await visit.look('wrong halves')

      // in the other order, as typed from paper
      await first.fill(halves[1].toLowerCase())
      assert.equal(await first.getAttribute('type'), 'text')
      await second.fill(halves[0].replaceAll('-', ' '))
      assert.equal(await first.getAttribute('type'), 'password', 'what one typed the other does not see')
      await press.click()
      await page.getByRole('heading', { level: 1, name: '应急已启用' }).waitFor()
      await page.getByText(/还剩 (2 小时 0|1 小时 59) 分.*保管人：李主任、周科长。/).waitFor()
      await visit.look('what it opens')
      await page.reload()
      const of = (name) => page.locator('[data-test=administrator]').filter({ hasText: name })
      await of('赵系统').getByText('已锁定').waitFor()
      await of('赵系统').getByRole('button', { name: '解除锁定' }).click()
      await page.getByText('赵系统 的账号已解除锁定').waitFor()
      await of('钱安全').getByRole('button', { name: '重新发放启用码' }).click()
      await visit.look('asking before a code is given')
      await page.getByRole('button', { name: '确定发放' }).click()
      const code = await page.locator('[data-test=one-time-code]').innerText()
      await visit.look('a code given')
      await page.getByRole('button', { name: '结束应急' }).click()
      await page.getByText('应急已结束').waitFor()
      await visit.look('over')

      // the halves are used up
      const again = { first: halves[0], second: halves[1], reason: '再试一次' }
      assert.equal((await post(node, '/emergency-sessions', again)).body.code, 'access.emergency_refused')
      const back = await post(node, '/enrolments', { code, login: 'anquan', name: '钱安全', password: NEW })
      assert.equal(back.status, 201, JSON.stringify(back.body))
      await page.goto(`${node.base}/desk/login`)
      await page.getByLabel('登录名').fill('shenji')
      await page.getByRole('textbox', { name: '密码' }).fill(PASSWORD)
      await page.getByRole('button', { name: '登录' }).click()
      const alarm = page.locator('[data-test=emergency]')
      await alarm.getByText('应急启用码已被启用').waitFor()
      await alarm.getByText(/李主任、周科长 启用了应急。理由：三位管理员的手机同时损坏/).waitFor()
      await alarm.getByText('还没有重新封存').waitFor()
      await visit.look('what every administrator is told')
    } finally {
      await stop(node)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
