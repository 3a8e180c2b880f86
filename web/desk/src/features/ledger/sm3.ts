// SM3 (GB/T 32905) in the browser: the page checks a proof with its own arithmetic instead of believing the server.

const START = [0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e]

const turn = (x: number, n: number): number => (n % 32 === 0 ? x : (x << (n % 32)) | (x >>> (32 - (n % 32))))

function block(state: number[], words: number[]): number[] {
  const w = [...words]
  const at = (index: number): number => w[index] ?? 0
  for (let j = 16; j < 68; j += 1) {
    const x = at(j - 16) ^ at(j - 9) ^ turn(at(j - 3), 15)
    w.push(x ^ turn(x, 15) ^ turn(x, 23) ^ turn(at(j - 13), 7) ^ at(j - 6))
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let j = 0; j < 64; j += 1) {
    const isEarly = j < 16
    const s1 = turn((turn(a, 12) + e + turn(isEarly ? 0x79cc4519 : 0x7a879d8a, j)) | 0, 7)
    const s2 = s1 ^ turn(a, 12)
    const ff = isEarly ? a ^ b ^ c : (a & b) | (a & c) | (b & c)
    const gg = isEarly ? e ^ f ^ g : (e & f) | (~e & g)
    const t1 = (ff + d + s2 + (at(j) ^ at(j + 4))) | 0
    const t2 = (gg + h + s1 + at(j)) | 0
    ;[a, b, c, d] = [t1, a, turn(b, 9), c]
    ;[e, f, g, h] = [t2 ^ turn(t2, 9) ^ turn(t2, 17), e, turn(f, 19), g]
  }
  const mixed = [a, b, c, d, e, f, g, h]
  return state.map((value, index) => value ^ (mixed[index] ?? 0))
}

export function sm3(data: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((data.length + 9) / 64) * 64)
  padded.set(data)
  padded[data.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(data.length / 0x20000000))
  view.setUint32(padded.length - 4, (data.length * 8) >>> 0)
  let state = START
  for (let start = 0; start < padded.length; start += 64) {
    state = block(
      state,
      Array.from({ length: 16 }, (_, index) => view.getUint32(start + index * 4)),
    )
  }
  const out = new DataView(new ArrayBuffer(32))
  state.forEach((value, index) => {
    out.setUint32(index * 4, value >>> 0)
  })
  return new Uint8Array(out.buffer)
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

function joined(first: number, ...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0))
  all[0] = first
  let at = 1
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export interface ProofStep {
  side: string
  sibling: string
}

/** The root that an entry and its neighbours lead to (RFC 6962 with SM3), in hex. */
export function rootOf(entry: string, steps: readonly ProofStep[]): string {
  const leaf = sm3(joined(0, new TextEncoder().encode(entry)))
  const root = steps.reduce((own, step) => {
    const sibling = fromHex(step.sibling)
    return sm3(step.side === 'left' ? joined(1, sibling, own) : joined(1, own, sibling))
  }, leaf)
  return toHex(root)
}
