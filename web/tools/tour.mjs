// Takes a small picture of every page at both widths from a running demonstration and writes docs/tour.md.
//   node web/tools/tour.mjs http://localhost:8600 mingjian-data/demo-accounts.json
// With a folder as third argument: whole pages at full size go there instead, to be looked at.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { TOUR } from './tour-pages.mjs'

const [base, accountsPath, look] = process.argv.slice(2)
if (!base || !accountsPath) {
  console.error('usage: node web/tools/tour.mjs http://localhost:PORT demo-accounts.json')
  process.exit(2)
}
const DOCS = fileURLToPath(new URL('../../docs/', import.meta.url))
const SIZES = [
  { name: 'desk', width: 1366, height: 768, scale: 0.5 },
  { name: 'phone', width: 360, height: 740, scale: 0.6 },
]
const { accounts } = JSON.parse(readFileSync(accountsPath, 'utf8'))

async function signIn(context, login) {
  const account = accounts.find((one) => one.login === login)
  if (!account) throw new Error(`no demo account ${login}`)
  const page = await context.newPage()
  await page.goto('/desk/login')
  await page.getByLabel('登录名').fill(account.login)
  await page.locator('#password').fill(account.password)
  await page.getByRole('button', { name: '登录' }).click()
  await page.locator('#sidebar').waitFor({ state: 'attached' })
  return page
}

const folder = look ?? `${DOCS}tour`
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const browser = await chromium.launch({
  executablePath: process.env.MJ_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--lang=zh-CN'],
  env: { ...process.env, LANGUAGE: 'zh_CN' },
})
const lines = [
  '# A tour of every page',
  '',
  'Pictures of the demonstration city at 1366 and 360 pixels, made by `web/tools/tour.mjs`. All names and numbers in them are made up.',
  '',
]
let taken = 0
for (const part of TOUR) {
  lines.push(`## ${part.title}`, '')
  const shots = new Map(part.pages.map((page) => [page, []]))
  for (const size of SIZES) {
    const context = await browser.newContext({
      baseURL: base,
      viewport: { width: size.width, height: size.height },
      deviceScaleFactor: look ? 1 : size.scale,
      locale: 'zh-CN',
      timezoneId: 'Asia/Shanghai',
    })
    const page = part.login ? await signIn(context, part.login) : await context.newPage()
    for (const shown of part.pages) {
      const id = await shown.find?.(page)
      if (shown.find && id === undefined) {
        console.error(`${shown.title}: nothing to show`)
        continue
      }
      await page.goto(shown.path.replace(':id', id))
      await page.waitForLoadState('networkidle')
      taken += 1
      const file = `${String(taken).padStart(3, '0')}-${size.name}.jpg`
      await page.screenshot({
        path: `${folder}/${file}`,
        type: 'jpeg',
        quality: look ? 80 : 55,
        fullPage: look !== undefined,
      })
      shots.get(shown).push(`![${shown.title}](tour/${file})`)
    }
    await context.close()
  }
  for (const [{ title }, pictures] of shots) {
    if (pictures.length > 0) lines.push(`### ${title}`, '', pictures.join(' '), '')
  }
}
await browser.close()
writeFileSync(look ? `${look}/tour.md` : `${DOCS}tour.md`, `${lines.join('\n').trim()}\n`)
console.log(`${taken} pictures`)
