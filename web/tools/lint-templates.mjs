// What the general linter does not know: under our CSP a `style` attribute in a template is blocked once Vue
// hoists it into innerHTML, `v-html` is a hole, and words for people belong in the message files.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const RULES = [
  [/\sstyle="/, 'no style attribute in a template (CSP): use a class'],
  [/\sv-html=/, 'no v-html'],
  [/>[^<{]*[\u4e00-\u9fff]/, 'words for people belong in shared/i18n/zh-CN'],
]

let wrong = 0
for (const file of readdirSync(join(root, 'desk'), { recursive: true })) {
  if (!String(file).endsWith('.vue')) continue
  const text = readFileSync(join(root, 'desk', String(file)), 'utf8')
  const template = /<template>[\s\S]*<\/template>/.exec(text)?.[0] ?? ''
  const before = text.slice(0, text.indexOf(template)).split('\n').length
  template.split('\n').forEach((line, index) => {
    for (const [pattern, message] of RULES) {
      if (!pattern.test(line)) continue
      wrong += 1
      console.error(`desk/${file}:${before + index}: ${message}`)
    }
  })
}
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
if (/"resolved":/.test(lock)) {
  wrong += 1
  console.error('package-lock.json: names a registry host (omit-lockfile-registry-resolved)')
}
if (wrong > 0) process.exit(1)
console.log('templates: clean')
