// Last step of `npm run build`: a .br and a .gz beside each text asset (the server only picks), dist/manifest.json
// (the server's proof that the faces were built), and the weight limits of each face's first page.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = join(import.meta.dirname, '../dist')
const TEXT = /\.(js|css|html|svg|json|webmanifest)$/
const LEAST_BYTES = 512
const KB = 1024
const LIMITS = { shell: { desk: 90 * KB, m: 120 * KB, portal: 60 * KB }, chunk: 260 * KB }

const files = []
for (const name of readdirSync(dist, { recursive: true }).map(String).sort()) {
  const path = join(dist, name)
  if (!statSync(path).isFile() || /\.(br|gz)$/.test(name) || name === 'manifest.json') continue
  const body = readFileSync(path)
  const gz = gzipSync(body, { level: 9 })
  if (TEXT.test(name) && body.length >= LEAST_BYTES && !name.endsWith('manifest.json')) {
    const options = {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    }
    writeFileSync(`${path}.br`, brotliCompressSync(body, options))
    writeFileSync(`${path}.gz`, gz)
  }
  files.push({ path: name.replaceAll('\\', '/'), bytes: body.length, gzip_bytes: gz.length })
}

/** The scripts that a face's index page names itself; the portal's page is all it has. */
function shell(face) {
  const own = files.filter((one) => one.path.startsWith(`${face}/`) && /\.(js|css)$/.test(one.path))
  if (face === 'portal') return own
  const html = readFileSync(join(dist, face, 'index.html'), 'utf8')
  return own.filter((one) => one.path.endsWith('.js') && html.includes(one.path))
}

const faces = {}
const tooHeavy = []
for (const face of Object.keys(LIMITS.shell)) {
  const weight = shell(face).reduce((sum, one) => sum + one.gzip_bytes, 0)
  faces[face] = { shell_gzip_bytes: weight }
  console.log(`${face}: shell ${(weight / KB).toFixed(1)} KB gzip`)
  if (weight > LIMITS.shell[face]) tooHeavy.push(`${face} shell`)
}
for (const one of files) if (/\.js$/.test(one.path) && one.gzip_bytes > LIMITS.chunk) tooHeavy.push(one.path)

writeFileSync(join(dist, 'manifest.json'), `${JSON.stringify({ faces, files }, null, 2)}\n`)
if (tooHeavy.length > 0) {
  console.error(`too heavy: ${tooHeavy.join(', ')}`)
  process.exit(1)
}
