// Runs the browser stories at two widths against a running `mingjian` and closes with
// `browser: N passed, N failed`. MJ_BASE is its address, MJ_ACCOUNTS its demo-accounts.json. One story is one
// function; every story starts with a fresh browser context. MJ_SHOTS=folder keeps a picture of each failure.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import * as access from './access.mjs'
import * as account from './account.mjs'
import * as areas from './areas.mjs'
import * as audit from './audit.mjs'
import * as clerk from './clerk.mjs'
import * as desk from './desk.mjs'
import * as developer from './developer.mjs'
import * as elsewhere from './elsewhere.mjs'
import * as emergency from './emergency.mjs'
import * as expired from './expired.mjs'
import * as forms from './forms.mjs'
import * as hostile from './hostile.mjs'
import * as leader from './leader.mjs'
import * as ledger from './ledger.mjs'
import * as lists from './lists.mjs'
import * as portal from './portal.mjs'
import * as publicSite from './public.mjs'
import * as reference from './reference.mjs'
import * as setUp from './setup.mjs'
import * as tour from './tour.mjs'
import * as typed from './typed.mjs'
import { Visit } from './visit.mjs'

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const SIZES = [
  { width: 1366, height: 768 },
  { width: 360, height: 740 },
]
const base = process.env.MJ_BASE ?? 'http://localhost:8600'
const accountsPath = process.env.MJ_ACCOUNTS
const executablePath = process.env.MJ_CHROMIUM ?? '/usr/bin/chromium'
const shots = process.env.MJ_SHOTS
/** `main`, or a part of a story's title. */
const only = process.argv[2]
/** From the department's file to the public record: the stories that are walked on PostgreSQL too. */
const MAIN = [
  'a clerk hands in a file with one bad row and sees it refused with the reason',
  'the enterprise is found by pinyin initials, and every value names its source',
  'two parties made one by mistake are two again after the undo',
  'a citizen finds an enterprise and its public record, and nothing personal',
]

if (!existsSync(executablePath)) {
  console.log('browser: not run: Chromium is not installed')
  process.exit((process.env.MJ_REQUIRE ?? '').split(',').includes('chromium') ? 1 : 0)
}
if (!accountsPath) {
  console.error('MJ_ACCOUNTS must name the demo-accounts.json of the running server')
  process.exit(2)
}

const { accounts } = JSON.parse(readFileSync(accountsPath, 'utf8'))
const stories = {
  ...desk.stories,
  ...leader.stories,
  ...portal.stories,
  ...publicSite.stories,
  ...developer.stories,
  ...account.stories,
  ...areas.stories,
  ...reference.stories,
  ...clerk.stories,
  ...lists.stories,
  ...ledger.stories,
  ...audit.stories,
  ...access.stories,
  ...forms.stories,
  ...hostile.stories,
  ...expired.stories,
  ...emergency.stories,
  ...elsewhere.stories,
  ...setUp.stories,
  ...tour.stories,
  ...typed.stories,
}
const browser = await chromium.launch({ executablePath, args: FLAGS })
let passed = 0
let failed = 0
for (const title of MAIN.filter((title) => !stories[title])) {
  failed += 1
  console.log(`FAIL no story is called: ${title}`)
}
// What one story leaves for the next (the enterprise that the clerk handed in), one for each width.
for (const size of SIZES) {
  const world = { base, accounts, size }
  for (const [title, story] of Object.entries(stories)) {
    if (only === 'main' ? !MAIN.includes(title) : only && !title.includes(only)) continue
    const name = `${title} (${size.width}×${size.height})`
    const visit = await Visit.start(browser, base, size)
    const begun = performance.now()
    try {
      await story(visit, world)
      visit.expectQuiet()
      passed += 1
      console.log(`ok   ${name} ${Math.round(performance.now() - begun)} ms`)
    } catch (cause) {
      failed += 1
      console.log(`FAIL ${name}\n     ${String(cause?.stack ?? cause).replaceAll('\n', '\n     ')}`)
      if (visit.noise.length > 0) console.log(`     ${visit.noise.join('\n     ')}`)
      if (shots) {
        mkdirSync(shots, { recursive: true })
        await visit.page.screenshot({ path: `${shots}/${failed}-${size.width}.png` }).catch(() => {})
      }
    } finally {
      await visit.end()
    }
  }
}
await browser.close()
console.log(`browser: ${passed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
