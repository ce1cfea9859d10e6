import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { Answer } from '../support/answer.ts'
import { startRedis } from '../support/redis-server.ts'
import { API_KEY, startServerProcess } from '../support/server-process.ts'
import { packageSuite } from './package-suite.ts'

const root = join(import.meta.dirname, '../..')

describe('what is published: the build', () => {
  beforeAll(async () => {
    await promisify(execFile)(process.execPath, ['scripts/build.ts'], {
      cwd: root,
      env: { ...process.env, PATH: `${root}/node_modules/.bin:${process.env['PATH']}` },
    })
  }, 120_000)

  test.each(['SQLite', 'Redis'])(
    'starts in production on %s, takes appends and gives them folded',
    async (store) => {
      const redis =
        store === 'Redis' ? await startRedis({ 'maxmemory-policy': 'noeviction' }) : null
      const env = {
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        API_KEYS: API_KEY,
        TOKEN_SECRET: randomBytes(32).toString('base64'),
        ...(redis !== null && { REDIS_URL: `redis://127.0.0.1:${redis.port}` }),
      }
      const server = await startServerProcess(env, join(root, 'dist/main.js'))
      try {
        const answer = new Answer({ url: server.url, key: API_KEY }, 'built', 20)
        await answer.open()
        for (let index = 0; index < 20; index++) await answer.delta(index)
        await answer.complete()
        const headers = { authorization: `Bearer ${API_KEY}` }
        const response = await fetch(`${server.url}/v1/sessions/built/messages`, { headers })
        const { messages } = (await response.json()) as {
          messages: { parts: { text: string }[] }[]
        }
        expect(messages.map((message) => message.parts.map((part) => part.text).join(''))).toEqual([
          answer.text,
        ])
        // The demo is open to whoever reaches it: not in production.
        expect((await fetch(`${server.url}/demo`)).status).toBe(404)
      } finally {
        await server.stop()
        await redis?.stop()
      }
    },
  )

  packageSuite()
})
