// One person's visit with a browser, watched: CSP violations, errors in the console and errors of scripts are
// remembered and fail the story. `look` is what every page must stand: axe, no sideways scrolling, no junk words.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']
const JUNK = /NaN|undefined|\bnull\b|Invalid Date|\[object/
const PATIENCE_MS = 15_000

export class Visit {
  static async start(browser, base, size) {
    const context = await browser.newContext({
      baseURL: base,
      viewport: size,
      locale: 'zh-CN',
      timezoneId: 'UTC',
      acceptDownloads: true,
      permissions: ['clipboard-read', 'clipboard-write'],
      // axe reads colours: what fades while it reads has not its own
      reducedMotion: 'reduce',
    })
    context.setDefaultTimeout(PATIENCE_MS)
    const visit = new Visit(context, await context.newPage())
    visit.base = base
    await visit.watch()
    return visit
  }

  constructor(context, page) {
    this.context = context
    this.page = page
    this.noise = []
    this.expectedStatuses = new Set()
  }

  /** The story is about a refusal: the browser's own line about this status is no fault. */
  expectStatus(status) {
    this.expectedStatuses.add(status)
  }

  async watch() {
    await this.page.exposeFunction('__csp', (line) => this.noise.push(`CSP ${line}`))
    await this.page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.__csp(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)
      })
    })
    this.page.on('pageerror', (error) => this.noise.push(`script ${error.message}`))
    this.page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return
      const status = /status of (\d+)/.exec(message.text())?.[1]
      if (status && this.expectedStatuses.has(Number(status))) return
      this.noise.push(`console ${message.text()} ${message.location().url ?? ''}`)
    })
  }

  expectQuiet() {
    assert.deepEqual(this.noise, [])
  }

  async look(what) {
    const { page } = this
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    assert.ok(over <= 0, `${what}: the page scrolls sideways by ${over} px`)
    const text = await page.evaluate(() => document.body.innerText)
    assert.doesNotMatch(text, JUNK, `${what}: shows a raw value`)
    await page.evaluate(`${AXE};0`)
    const faults = await page.evaluate(
      (values) =>
        window.axe
          .run(document, { runOnly: { type: 'tag', values } })
          .then((result) =>
            result.violations.map(
              (one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`,
            ),
          ),
      WCAG,
    )
    assert.deepEqual(faults, [], `${what}: axe`)
  }

  /** Asks again and again, without a fixed wait, until `is` holds. */
  async until(what, is, ms = 30_000) {
    const end = Date.now() + ms
    for (;;) {
      if (await is()) return
      assert.ok(Date.now() < end, `waited ${ms} ms in vain: ${what}`)
      await this.page.waitForTimeout(250)
    }
  }

  async end() {
    await this.context.close()
  }
}
