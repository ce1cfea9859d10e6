import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startLocalServer } from '../support/local-server.ts'

const heldline = `"${process.execPath}" --disable-warning=ExperimentalWarning "${join(import.meta.dirname, '../../src/main.ts')}"`

test('a command whose reader has had enough ends without a word, like any other in a pipe', async () => {
  const server = await startLocalServer()
  onTestFinished(() => server.close())
  const headers = { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' }
  const ask = (method: string, path: string, body: unknown) =>
    fetch(`${server.url}/v1/sessions/piped${path}`, { method, headers, body: JSON.stringify(body) })
  await ask('PUT', '', {})
  // More than a pipe holds, and than is read at once.
  const events = Array.from({ length: 1000 }, () => ({ type: 'x.a', data: 'x'.repeat(600) }))
  expect((await ask('POST', '/events', events)).status).toBe(200)

  const script = `{ ${heldline} tail piped; echo "code $?" >&2; } | head -1`
  const env = { ...process.env, HELDLINE_URL: server.url, HELDLINE_KEY: server.key }
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    execFile('sh', ['-c', script], { env }, (_, stdout, stderr) => resolve({ stdout, stderr }))
  })
  expect(stdout).toContain('session.created')
  expect(stderr).toBe('code 141\n')
})
