import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { loadConfig } from '../../src/load-config.ts'
import { createLogs } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'
import { startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'

const KEY = 'canary-key-0123456789abcdef0123456789'
const SECRET = 'canary-token-0123456789abcdef01234567'
const HOOK = `whsec_${Buffer.from('canary-hook-secret-of-thirty-bytes').toString('base64')}`

/** A server whose lines are kept, at the least level that there is. */
async function start() {
  const folder = mkdtempSync(join(tmpdir(), 'heldline-audit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const written: string[] = []
  const { config } = loadConfig({
    PORT: '0',
    NODE_ENV: 'test',
    DEMO: 'off',
    DATA_DIR: folder,
    API_KEYS: `main:${KEY}`,
    TOKEN_SECRET: SECRET,
    WEBHOOK_URL: 'https://example.com/hooks/canary-path?canary=1',
    WEBHOOK_SECRET: HOOK,
    LOG_LEVEL: 'error',
  })
  const { log, audit } = createLogs({
    level: config.logLevel,
    destination: { write: (line) => written.push(line) },
  })
  const server = await startServer(config, log, audit)
  onTestFinished(() => server.close())
  const lines = (): Record<string, unknown>[] =>
    written.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { server, lines, text: () => written.join('') }
}

test('a node that starts says what it goes by, and no secret of it; LOG_LEVEL leaves none of it out', async () => {
  const { lines, text } = await start()
  expect(lines()).toHaveLength(1)
  expect(lines()[0]).toMatchObject({
    level: 'info',
    event: 'audit',
    audit: true,
    act: 'server.start',
    by: null,
    outcome: 'done',
    about: {
      nodeId: expect.any(String),
      config: {
        Server: expect.arrayContaining(['NODE_ENV=test', 'LOG_LEVEL=error', 'AUDIT_LOG=false']),
        Access: expect.arrayContaining(['API_KEYS=[set]', 'TOKEN_SECRET=[set]', 'TOKEN_JWKS_URL=']),
        Store: expect.arrayContaining(['REDIS_URL=', 'SQLITE_SYNCHRONOUS=full']),
        Webhook: expect.arrayContaining([
          'WEBHOOK_URL=https://example.com',
          'WEBHOOK_SECRET=[set]',
        ]),
        Keys: ['main'],
      },
    },
  })
  expect(text()).not.toMatch(/canary/)
  expect(text()).not.toContain(HOOK)
})

test('credentials that are refused are lines with their reason, over HTTP and in a handshake; what was shown is in none', async () => {
  const { server, lines, text } = await start()
  const shown = 'main:canary-that-was-guessed'
  const ask = (credential: string): Promise<Response> =>
    fetch(`${server.url}/v1/sessions`, { headers: { authorization: `Bearer ${credential}` } })
  expect((await ask(shown)).status).toBe(401)
  expect((await ask('canary.that.isnotoken')).status).toBe(401)
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/connect`, 'heldline.v1', {
    headers: { authorization: 'Bearer nobody:canary-in-a-handshake' },
  })
  socket.on('error', () => undefined)
  const reasons = (): unknown[] =>
    lines()
      .filter(({ act }) => act === 'auth.refuse')
      .map(({ about }) => (about as { reason: string }).reason)
  await until('the third is told', () => reasons().length === 3)
  expect(reasons()).toEqual(['wrong_secret', 'malformed', 'unknown_key'])
  expect(text()).not.toMatch(/canary/)
})

test('a server in production writes it to its standard output, and one in development does not', async () => {
  const production = {
    NODE_ENV: 'production',
    API_KEYS: 'main:n7Jq0wVbXcR2tYpLs9KdFgHaZxM4uE6i',
    TOKEN_SECRET: 'Qm3Wn8Rb5Vt1Yc7Ux2Zl9Kp4Jh6Gf0Sd',
    HOST: '127.0.0.1',
  }
  const [audited, silent] = [
    await startServerProcess(production),
    await startServerProcess({ NODE_ENV: 'development' }),
  ]
  onTestFinished(async () => {
    await Promise.all([audited.stop(), silent.stop()])
  })
  await until('it is written', () => audited.output.includes('"act":"server.start"'))
  expect(audited.output).not.toContain(production.TOKEN_SECRET)
  // Its own words come after where that line would stand.
  await until('it has started', () => silent.output.includes('Heldline is listening'))
  expect(silent.output).not.toContain('"audit":true')
})
