import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { readPage } from './support/docs-example.ts'
import { freePort } from './support/free-port.ts'
import { readMetrics } from './support/metrics.ts'
import { until } from './support/until.ts'

const root = new URL('..', import.meta.url).pathname
const { example, names } = readPage('docs/metrics.md')

test('the examples of docs/metrics.md start a server that shows metrics, and look at them', async () => {
  expect(names).toEqual(['start', 'scrape'])
  const folder = await mkdtemp(join(tmpdir(), 'heldline-docs-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const key = 'a-key-that-the-page-would-have-made-by-itself'
  // The commands of the page, as far as this machine does not have them.
  const heldline = `"${process.execPath}" --disable-warning=ExperimentalWarning "${root}src/main.ts"`
  await writeFile(join(folder, 'npx'), `#!/bin/sh\nshift\nexec ${heldline} "$@"\n`, { mode: 0o755 })
  await writeFile(join(folder, 'openssl'), `#!/bin/sh\necho ${key}\n`, { mode: 0o755 })
  const env = {
    ...process.env,
    PORT: '0',
    DATA_DIR: folder,
    METRICS_KEY: key,
    PATH: `${folder}:${process.env['PATH']}`,
  }
  const port = await freePort()
  const script = (name: string): string => `set -e\n${example(name).replaceAll('9464', `${port}`)}`

  const server = spawn('bash', ['-c', script('start')], { env, detached: true })
  onTestFinished(() => void (server.pid !== undefined && process.kill(-server.pid, 'SIGKILL')))
  let wrote = ''
  for (const stream of [server.stdout, server.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (wrote += text))
  }
  const said = `metrics   http://127.0.0.1:${port}/metrics`
  await until('it says where they are', () => wrote.includes(said), { instead: () => wrote })

  const { stdout } = await promisify(execFile)('bash', ['-c', script('scrape')], { env })
  const { of } = readMetrics(stdout)
  expect(of('heldline_store_durability_info', { durability: 'fsync' })).toBe(1)
  expect(of('heldline_log_lines_total', { level: 'error' })).toBe(0)
})
