import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAgent, type Agent } from '../../src/agent/index.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { pause, until } from '../support/until.ts'

const TRIES = 200
const AT_ONCE = 8
/** Far above what it takes (a few ms): so that only a cancel that waits for something, a heartbeat say, fails. */
const TOO_LONG_MS = 1000

interface Message {
  readonly status: string
  readonly parts: readonly { readonly text: string }[]
}

interface Try {
  readonly heardAfterMs: number
  readonly types: readonly string[]
  /** Of the message, when all is over. */
  readonly status: string
  readonly text: string
  /** What another device had read when it cancelled. */
  readonly seen: string
  readonly written: string
}

describe('an agent at one node, cancelled from another device at another node', () => {
  let redis: RedisServer
  let nodes: readonly [ServerProcess, ServerProcess]
  let agent: Agent
  beforeAll(async () => {
    redis = await startRedis()
    const env = { REDIS_URL: redis.url }
    nodes = [await startServerProcess(env), await startServerProcess(env)]
    agent = createAgent({ url: nodes[0].url, apiKey: API_KEY })
  })
  afterAll(async () => {
    await agent?.close()
    for (const node of nodes ?? []) await node.stop()
    await redis?.stop()
  })

  async function elsewhere(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${nodes[1].url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    expect(response.ok).toBe(true)
    return response.json()
  }

  async function messageOf(id: string): Promise<Message | undefined> {
    const { messages } = (await elsewhere('GET', `/sessions/${id}/messages`)) as {
      messages: Message[]
    }
    return messages[0]
  }

  async function textOf(id: string): Promise<string> {
    return ((await messageOf(id))?.parts ?? []).map(({ text }) => text).join('')
  }

  async function cancelOne(index: number): Promise<Try> {
    const id = `cancel-${index}`
    const session = agent.session(id)
    await session.open()
    let written = ''
    let heardAt = 0
    let seen = ''
    let cancelledAt = 0
    const cancel = async (): Promise<void> => {
      await until('somebody reads', async () => (seen = await textOf(id)) !== '')
      cancelledAt = performance.now()
      await elsewhere('POST', `/sessions/${id}/runs/r/cancel`, {})
    }
    const result = await session.run({ run: 'r' }, async (run) => {
      run.signal.addEventListener('abort', () => (heardAt = performance.now()))
      const cancelling = cancel()
      for (let n = 0; !run.signal.aborted; n++) {
        written += `${n} `
        await run.text(`${n} `).catch(() => undefined)
        await pause(1)
      }
      await cancelling
    })
    expect(result).toMatchObject({ started: true, status: 'cancelled' })
    const { events } = (await elsewhere('GET', `/sessions/${id}/events?after=0&limit=1000`)) as {
      events: { type: string }[]
    }
    return {
      heardAfterMs: heardAt - cancelledAt,
      types: events.map(({ type }) => type),
      status: (await messageOf(id))?.status ?? '',
      text: await textOf(id),
      seen,
      written,
    }
  }

  test(`hears of it at once, ${TRIES} times under load; what was written stays, and nothing follows [P-10.8] (R1, S3-05)`, async () => {
    const tries: Try[] = []
    let next = 0
    const work = async (): Promise<void> => {
      while (next < TRIES) tries.push(await cancelOne(next++))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    for (const { types, status, text, seen, written } of tries) {
      const last = types.filter((type) => /^run\.(finished|failed|cancelled|lost)$/.test(type))
      expect(last).toEqual(['run.cancelled'])
      expect(types.at(-1)).toBe('run.cancelled')
      expect(status).toBe('interrupted')
      expect(text.startsWith(seen)).toBe(true)
      expect(written.startsWith(text)).toBe(true)
    }
    const times = tries.map(({ heardAfterMs }) => heardAfterMs).sort((a, b) => a - b)
    const [p50 = 0, p95 = 0] = [0.5, 0.95].map((part) => times[Math.floor(part * times.length)])
    console.log(`cancel heard: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms`)
    expect(p50).toBeLessThan(TOO_LONG_MS)
  }, 120_000)
})
