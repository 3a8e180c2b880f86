// Stories of the public site and its author page: two people publish, a citizen reads, says what is wrong, and reads
// the answer; with scripts off, in large type, and whatever is typed into the search.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

const SCRIPT = '<script>window.__hit = 1</script><img src=x onerror="window.__hit = 1">'
const PAGES = [
  '/',
  '/search',
  '/news',
  '/exposure',
  '/log',
  '/data',
  '/data/penalties',
  '/corrections',
  '/about',
  '/accessibility',
  '/sitemap',
]

const accountOf = (world, role) => world.accounts.find((one) => one.role === role && one.agency)

/** The desk asks who is here before anybody is: that 401 is an answer. */
async function logIn(visit, account) {
  visit.expectStatus(401)
  const { page } = visit
  await visit.context.clearCookies()
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.getByLabel('密码', { exact: true }).fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.waitForURL((url) => !url.pathname.endsWith('/login'))
}

/** The drawer that asks for a reason. */
async function because(page, act, reason) {
  await page.getByRole('button', { name: act, exact: true }).first().click()
  const drawer = page.getByRole('dialog')
  await drawer.getByRole('textbox').fill(reason)
  await drawer.getByRole('button', { name: act, exact: true }).click()
  await drawer.waitFor({ state: 'hidden' })
}

/** A party of this agency with a line in its public record. */
export async function aRecord(visit, agency) {
  const { request } = visit.page
  const found = await (
    await request.get(`/api/v1/public/parties?q=${encodeURIComponent('有限公司')}&limit=100`)
  ).json()
  for (const party of found.items) {
    const record = await (await request.get(`/api/v1/public/parties/${party.register_no}`)).json()
    const act = record.acts.find((one) => one.agency_code === agency)
    if (act) return { party, act }
  }
  throw new Error('no party of this agency has a public record')
}

export const stories = {
  async 'two people publish a post, correct it in sight and withdraw it, and a script in it is only text'(
    visit,
    world,
  ) {
    const { page } = visit
    const clerk = accountOf(world, 'clerk')
    const reviewer = accountOf(world, 'reviewer')
    const title = `节前检查安排 ${world.size.width}-${Date.now()}`
    page.on('dialog', () => assert.fail('a script of a post ran'))
    await logIn(visit, clerk)
    await page.goto('/desk/posts')
    await page.getByRole('heading', { level: 1, name: '门户稿件' }).waitFor()
    await page.locator('[data-test=post-row]').first().waitFor()
    await visit.look('posts')
    await page.getByRole('link', { name: '起草监管动态' }).click()
    await page.getByLabel('标题').fill(title)
    await page
      .getByLabel('正文')
      .fill(
        `## 安排\n\n本周起检查**餐饮**单位，电话13812345678。\n\n${SCRIPT}\n\n[看](javascript:window.__hit=1)`,
      )
    await page.getByRole('button', { name: '看发布后的样子' }).click()
    await page.locator('[data-test=post-preview] strong').waitFor()
    await visit.look('post preview')
    await page.getByRole('button', { name: '继续写' }).click()
    visit.expectStatus(422)
    await page.getByRole('button', { name: '保存草稿' }).click()
    await page.getByText('含有手机号码').waitFor()
    await page.reload()
    await page.locator('[data-test=draft]').waitFor()
    assert.equal(await page.getByLabel('标题').inputValue(), title, 'what was typed survives a reload')
    const body = page.getByLabel('正文')
    await body.fill((await body.inputValue()).replace('，电话13812345678', ''))
    await page.getByRole('button', { name: '保存草稿' }).click()
    await page.getByRole('heading', { level: 1, name: title }).waitFor()
    const address = page.url()
    await visit.look('post, draft')
    await page.getByRole('button', { name: '送审' }).click()
    await page.getByText('待审核').first().waitFor()
    assert.equal(
      await page.getByRole('button', { name: '审核通过并发布' }).count(),
      0,
      'a clerk does not publish',
    )

    await page.goto('/desk/work-items?kind=portal_post')
    await page.locator('.empty, [data-test=work-row]').first().waitFor()
    assert.equal(await page.getByText(title).count(), 0, 'it waits for the reviewers alone')

    await logIn(visit, reviewer)
    await page.goto('/desk/work-items?kind=portal_post')
    await page.locator('[data-test=work-row]').filter({ hasText: title }).getByRole('link').click()
    await page.getByRole('link', { name: '去审核这篇稿件' }).waitFor()
    await visit.look('a post among the to-dos')
    await page.getByRole('link', { name: '去审核这篇稿件' }).click()
    await page.getByRole('heading', { level: 1, name: title }).waitFor()
    await because(page, '审核通过并发布', '已核对时间和依据')
    await page.goto('/desk/work-items?kind=portal_post')
    await page.locator('.empty, [data-test=work-row]').first().waitFor()
    assert.equal(await page.getByText(title).count(), 0, 'published: nothing waits any more')
    await page.goto(address)
    const open = page.getByRole('link', { name: /门户上的页面/ })
    await open.waitFor()
    await visit.look('post, published')
    const place = (await open.getAttribute('href')) ?? ''
    assert.match(place, /^\/news\/\d+$/)

    await page.goto(place)
    await page.getByRole('heading', { level: 1, name: title }).waitFor()
    await page.getByText('window.__hit = 1').first().waitFor()
    assert.equal(await page.evaluate(() => window.__hit), undefined, 'the script stays text')
    assert.equal(
      await page.locator('main script, main img, main [onerror], main a[href^="javascript"]').count(),
      0,
    )
    assert.equal(await page.locator('meta[name=ArticleTitle]').getAttribute('content'), title)
    await visit.look('news item')
    await page.goto('/')
    await page.getByRole('link', { name: title }).waitFor()

    await logIn(visit, clerk)
    await page.goto(address)
    await because(page, '更正', '检查时间写错')
    await page.getByLabel('正文').fill('下周起检查餐饮单位，请提前准备台账。')
    await page.getByRole('button', { name: '送审' }).click()
    await page.getByText('已发布，更正待审核').waitFor()
    await logIn(visit, reviewer)
    await page.goto(address)
    await because(page, '审核通过并发布', '更正属实')
    await page.goto(place)
    await page.getByText('更正：检查时间写错').waitFor()
    await page.getByText('下周起检查餐饮单位').waitFor()
    await page.locator('details.earlier summary').click()
    await page.locator('details.earlier').getByText('本周起检查').waitFor()
    await visit.look('news item, corrected')

    await page.goto(address)
    await because(page, '撤回', '检查取消')
    await page.getByText('撤回：检查取消').waitFor()
    visit.expectStatus(410)
    const gone = await page.goto(place)
    assert.equal(gone?.status(), 410)
    await page.getByRole('heading', { level: 1, name: '这篇内容已撤回' }).waitFor()
    await page.getByText('撤回原因：检查取消').waitFor()
    assert.equal(await page.getByText('下周起检查').count(), 0)
    await visit.look('news item, withdrawn')
  },

  async 'an exposure is drafted on a public record and leads back to it'(visit, world) {
    const { page } = visit
    const clerk = accountOf(world, 'clerk')
    const { party, act } = await aRecord(visit, clerk.agency)
    await logIn(visit, clerk)
    await page.goto('/desk/posts/new/exposure')
    await page.getByLabel('标题').fill('曝光一起典型案件')
    await page.getByLabel('正文').fill('当事单位违反有关规定，已依法处理，责令改正。')
    await page.getByRole('button', { name: '保存草稿' }).click()
    await page.getByText('请先查找并选定监管对象。').waitFor()
    await page.locator('#post-party').fill(party.uscc)
    await page.getByRole('button', { name: '查找' }).click()
    await page.getByRole('button', { name: party.name }).click()
    await page.locator(`input[type=radio][value="${act.line}"]`).check()
    await visit.look('exposure, draft')
    await page.getByRole('button', { name: '保存草稿' }).click()
    await page.getByText('发布时按规则表确定').waitFor()
    await page.goto('/exposure')
    const shown = page.locator('.results h2 a')
    await shown.first().click()
    await page.getByRole('heading', { level: 2, name: '对应的监管记录' }).waitFor()
    await visit.look('exposure')
    await page.locator('main a[href^="/parties/"]').click()
    await page.locator('main a[href^="/exposure/"]').first().waitFor()
  },

  async 'a citizen without an account says a line is wrong, and the clerk answers'(visit, world) {
    const { page } = visit
    const clerk = accountOf(world, 'clerk')
    const { party, act } = await aRecord(visit, clerk.agency)
    visit.expectStatus(422)
    await page.goto(`/parties/${party.register_no}`)
    await page.locator(`a.wrong[href$="line=${act.line}"]`).click()
    await page.getByRole('heading', { level: 1, name: '指出公示信息有误' }).waitFor()
    await visit.look('correction form')
    await page.getByRole('button', { name: '提交' }).click()
    await page.getByText('没有提交成功').waitFor()
    await visit.look('correction form, refused')
    await page.getByLabel('内容有误').check()
    const said = `日期应早一天，"见决定书" <b>${Date.now()}</b> 100%`
    await page.getByLabel(/^说明/).fill(said)
    await page.getByRole('button', { name: '提交' }).click()
    await page.getByRole('heading', { level: 1, name: '已收到，请记下编号和查询码' }).waitFor()
    await visit.look('correction received')
    const number = (await page.locator('[data-receipt=number]').textContent()) ?? ''
    const code = (await page.locator('[data-receipt=code]').textContent()) ?? ''
    const ask = async () => {
      await page.goto('/corrections')
      await page.getByLabel('编号').fill(number)
      await page.getByLabel('查询码').fill(code)
      await page.getByRole('button', { name: '查询', exact: true }).click()
    }
    await ask()
    await page.getByText('已收到，等待核实').waitFor()
    await page.getByText(said).waitFor()
    await visit.look('correction progress')
    await page.getByLabel('编号').fill(number)
    await page.getByLabel('查询码').fill('AAAAAAAA')
    await page.getByRole('button', { name: '查询', exact: true }).click()
    await page.getByText('编号或查询码不对').waitFor()

    await logIn(visit, clerk)
    const list = await (
      await page.request.get('/api/v1/flow/work-items?kind=portal_correction&limit=100')
    ).json()
    const item = list.items.find((one) => one.payload.said === said)
    assert.ok(item, 'the report is a work item of the clerk')
    await page.goto(`/desk/work-items/${item.id}`)
    await page.getByText(said).first().waitFor()
    await visit.look('correction, work item')
    await page.getByRole('button', { name: '认领' }).click()
    await page.getByLabel('判断理由').fill('已通知来源部门按决定书更正')
    await page.getByRole('button', { name: '已转来源部门更正' }).click()
    await page.getByText('已办结').first().waitFor()
    await visit.until('the answer is public', async () => {
      await ask()
      return (await page.getByText('已通知来源部门按决定书更正').count()) > 0
    })
    await visit.look('correction answered')
  },

  async 'whatever is typed into the search, the page stands'(visit) {
    const { page } = visit
    for (const q of [
      '%',
      '%%%',
      "' OR 1=1 --",
      '"><script>alert(1)</script>',
      '😀😀😀',
      '滕州\\',
      'a'.repeat(10_000),
      '恒'.repeat(6_000),
    ]) {
      const answer = await page.goto(`/search?q=${encodeURIComponent(q)}`)
      assert.equal(answer?.status(), 200, q.slice(0, 20))
      await page.locator('.empty, .results').first().waitFor()
      await visit.look(`search for ${q.slice(0, 20)}`)
    }
    await page.goto('/search')
    await page.getByRole('searchbox').fill('恒'.repeat(10_000))
    await page.getByRole('button', { name: '查询' }).click()
    await page.locator('.empty').waitFor()
    await page.goto(`/search?q=${encodeURIComponent('有限')}&area=999999&kind=person`)
    await page.getByText('“地区”不存在').waitFor()
    await visit.look('search, filters of yesterday')
    await page.getByRole('link', { name: '下一页' }).click()
    const later = page.url()
    await page.goto('/')
    await page.goto(later)
    await page.locator('.results a').first().waitFor()
  },

  async 'without scripts everything can be read, asked and sent'(visit, world) {
    const { party } = await aRecord(visit, accountOf(world, 'clerk').agency)
    const browser = visit.context.browser()
    const context = await browser.newContext({
      baseURL: world.base,
      viewport: world.size,
      locale: 'zh-CN',
      javaScriptEnabled: false,
    })
    const page = await context.newPage()
    await page.goto('/')
    await page.getByRole('searchbox').fill(party.name)
    await page.getByRole('button', { name: '搜索' }).click()
    await page.locator('.results a').first().click()
    await page.locator('a.wrong').first().click()
    await page.getByLabel('其他').check()
    await page.getByLabel(/^说明/).fill('没有脚本也能提交纠错')
    await page.getByRole('button', { name: '提交' }).click()
    await page.getByRole('heading', { level: 1, name: '已收到，请记下编号和查询码' }).waitFor()
    for (const path of PAGES) {
      const answer = await page.goto(path)
      assert.equal(answer?.status(), 200, path)
      await page.locator('h1').waitFor()
    }
    await page.goto(`/search?q=${encodeURIComponent(party.name)}`)
    await page.getByRole('link', { name: '长者版' }).click()
    await page.locator('html[data-size=large]').waitFor()
    assert.match(page.url(), /\/search\?q=/, 'the same page, in large type')
    await page.getByRole('link', { name: '高对比' }).click()
    await page.locator('html[data-size=large][data-contrast=high]').waitFor()
    await page.goto('/news')
    await page.locator('html[data-size=large][data-contrast=high]').waitFor()
    await page.getByRole('link', { name: '长者版' }).click()
    await page.locator('html[data-contrast=high]:not([data-size])').waitFor()
    await page.getByRole('link', { name: '标准版' }).click()
    await page.locator('html:not([data-contrast])').waitFor()
    await context.close()
  },

  async 'every public page stands in large type, high contrast and at twice the size, and weighs little'(
    visit,
    world,
  ) {
    const { page } = visit
    let bytes = 0
    const count = async (response) => {
      const sizes = await response
        .request()
        .sizes()
        .catch(() => undefined)
      bytes += sizes ? sizes.responseBodySize + sizes.responseHeadersSize : 0
    }
    page.on('response', count)
    await page.goto('/', { waitUntil: 'load' })
    await page.locator('h1').waitFor()
    assert.ok(bytes > 0 && bytes < 100_000, `the first page transfers ${bytes} bytes`)
    page.off('response', count)
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), '跳到正文')
    for (const path of PAGES) {
      await page.goto(path)
      await visit.look(path)
    }
    await page.getByRole('link', { name: '长者版' }).click()
    await page.getByRole('link', { name: '高对比' }).click()
    for (const path of PAGES) {
      await page.goto(path)
      await visit.look(`${path}, large and high contrast`)
    }
    await page.getByRole('link', { name: '标准版' }).click()
    // zoom of 200 % is half the width in CSS pixels; WCAG's own measure is 320
    await page.setViewportSize({ width: 320, height: 400 })
    for (const path of PAGES) {
      await page.goto(path)
      await visit.look(`${path}, 200 %`)
    }
    await page.setViewportSize(world.size)
  },

  async 'a citizen takes away the checkpoint of the supervision log and finds its feed'(visit) {
    const { page } = visit
    await page.goto('/news')
    await page.getByRole('link', { name: '监管日志公示', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: '监管日志公示' }).waitFor()
    await visit.look('监管日志公示')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: '下载最新的检查点' }).click(),
    ])
    const note = await readFile(await download.path(), 'utf8')
    const [origin, size, root] = note.split('\n')
    assert.match(note, new RegExp(`\\n\\n— ${origin} [A-Za-z0-9+/=]+\\n$`), 'signed by the log itself')
    assert.ok(Number(size) > 0)
    // something may have been signed meanwhile
    await page.reload()
    const now = await (await page.request.get('/api/v1/log/checkpoint')).text()
    const shown = await page.locator('[data-test=root]').textContent()
    assert.ok([root, now.split('\n')[2]].includes(shown), `the page shows ${shown}`)
    const address = await page.locator('link[type="application/atom+xml"]').getAttribute('href')
    const feed = await page.request.get(address)
    assert.match(feed.headers()['content-type'], /^application\/atom\+xml/)
    const text = await feed.text()
    const weeks = await page.locator('a[href^="/log/weeks/"]').count()
    assert.equal(text.split('<entry>').length - 1, weeks, 'as many weeks as on the page')
    assert.equal((await page.request.get('/log/weeks/2000-W01.txt')).status(), 404)
  },

  async 'a record prints without buttons, and a file of open data is what its digest says'(visit, world) {
    const { page } = visit
    const { party } = await aRecord(visit, accountOf(world, 'clerk').agency)
    await page.goto(`/parties/${party.register_no}`)
    await page.emulateMedia({ media: 'print' })
    for (const hidden of ['.btn', 'nav.site-nav', '.wrong', '.search'])
      assert.equal(await page.locator(hidden).first().isVisible(), false, `${hidden} is printed`)
    await page.emulateMedia({ media: null })
    const sets = await (await page.request.get('/api/v1/public/datasets')).json()
    assert.equal(sets.length, 8)
    await page.goto('/data/penalties')
    for (const file of sets.find((one) => one.id === 'penalties').files) {
      await page.getByText(file.sha256).waitFor()
      const body = await (await page.request.get(file.address)).body()
      assert.equal(body.length, file.bytes)
      assert.equal(createHash('sha256').update(body).digest('hex'), file.sha256)
    }
    assert.ok(sets.find((one) => one.id === 'penalties').rows > 0)
  },
}
