import { describe, expect, it } from 'vitest'
import { firstScript } from './useNewer'

describe('a page that may be of yesterday', () => {
  it('knows its first script, and takes a page without one for no answer', () => {
    const page = '<script type="module" crossorigin src="/desk/assets/index-DfH0_-2F.js"></script>'
    expect(firstScript(page)).toBe('/assets/index-DfH0_-2F.js')
    expect(firstScript('<link href="/desk/assets/index-Y3x.css">')).toBe('')
    expect(firstScript('')).toBe('')
  })
})
