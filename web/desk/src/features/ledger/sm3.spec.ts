import { describe, expect, it } from 'vitest'
import { rootOf, sm3, toHex } from './sm3'

const digest = (text: string): string => toHex(sm3(new TextEncoder().encode(text)))

describe('sm3', () => {
  it('gives the digests printed in the standard', () => {
    expect(digest('abc')).toBe('66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0')
    expect(digest('abcd'.repeat(16))).toBe('debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732')
    expect(digest('')).toBe('1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b')
  })

  it('follows a proof, and notices a changed entry', () => {
    const sibling = digest('x')
    const steps = [
      { side: 'right', sibling },
      { side: 'left', sibling },
    ]
    expect(rootOf('entry', steps)).toBe(rootOf('entry', steps))
    expect(rootOf('entry', steps)).not.toBe(rootOf('entrx', steps))
    expect(rootOf('entry', steps)).not.toBe(rootOf('entry', [...steps].reverse()))
  })
})
