// A node of a story's own, in a folder of its own, with settings of its own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

export const BINARY =
  process.env.MJ_BINARY ?? new URL('../../target/debug/mingjian', import.meta.url).pathname

async function freePort() {
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A node in a folder of its own; `said` grows with what it says. */
export async function serve(visit, folder, settings) {
  const port = await freePort()
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('MINGJIAN_')),
  )
  const child = spawn(BINARY, ['serve', '--data-dir', folder, '--port', String(port)], {
    env: { ...env, ...settings },
  })
  const node = { child, base: `http://localhost:${port}`, said: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (node.said += part))
  await visit.until('the node answers', async () => {
    assert.equal(child.exitCode, null, node.said)
    return fetch(`${node.base}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    )
  })
  return node
}

const ADMINISTRATORS = { 系统管理员: 'xitong', 安全管理员: 'anquan', 审计管理员: 'shenji' }

/** The three administrators with the codes of a first start, or some of them; a node works once all are there. */
export async function enrolAdministrators(node, password, which = Object.keys(ADMINISTRATORS)) {
  for (const role of which) {
    const code = new RegExp(`${role}：\\s*(\\S+)`).exec(node.said)?.[1]
    const answer = await fetch(`${node.base}/api/v1/enrolments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
      body: JSON.stringify({ code, login: ADMINISTRATORS[role], password, name: role }),
    })
    assert.equal(answer.status, 201, await answer.text())
  }
}

export async function stop(node) {
  const ended = new Promise((resolve) => node.child.once('exit', resolve))
  node.child.kill('SIGTERM')
  await ended
}
