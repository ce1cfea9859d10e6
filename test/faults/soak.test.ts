import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Agent, createAgent } from '../../src/agent/index.ts'
import { createClient } from '../../src/client/create-client.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { pause, until } from '../support/until.ts'

/** `HELDLINE_SOAK_MS=21600000` makes it six hours. */
const SOAK_MS = Number(process.env['HELDLINE_SOAK_MS'] ?? 15_000)
/** Below this, a new process is still warming up, and only a gross leak can be told. */
const TELLING_MS = 600_000
const SAMPLES = 200
const CUT_EVERY_MS = Math.min(30_000, SOAK_MS / 5)
const KEPT_EVENTS = 2000
const WORDS_A_RUN = 50
const MB = 2 ** 20

type Answer = Readonly<Record<string, unknown>>

async function ask(server: ServerProcess, method: string, path: string, body?: unknown) {
  const response = await fetch(`${server.url}/v1/sessions/${path}`, {
    method,
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  expect(response.ok, `${method} ${path}: ${text}`).toBe(true)
  return text === '' ? {} : (JSON.parse(text) as Answer)
}

async function say(agent: Agent, id: string, trigger: string, everyMs: number): Promise<void> {
  const done = await agent.session(id).run({ trigger, agent: 'writer' }, async (run) => {
    for (let n = 0; n < WORDS_A_RUN; n++) {
      await run.text(`w${n} `)
      if (everyMs > 0) await pause(everyMs)
    }
    return 'said'
  })
  expect(done).toMatchObject({ started: true, status: 'finished' })
}

/** People who come to chats, hear an answer, and leave; half of the chats are deleted, the others end by their time to live. */
async function comeAndGo(server: ServerProcess, agent: Agent, end: number): Promise<number> {
  let chats = 0
  let heard = 0
  for (; performance.now() < end; chats++) {
    const id = `chat-${chats}`
    await ask(server, 'PUT', id, { ttlMs: 10_000 })
    const client = createClient({ url: server.url, token: API_KEY })
    const session = client.session(id)
    session.on('event', () => heard++)
    await say(agent, id, 'prompt', 0)
    await until('the answer is there', () => session.messages.at(0)?.status === 'completed', {
      instead: () => ({ chats, heard, messages: session.messages }),
    })
    client.close()
    if (chats % 2 === 0) await ask(server, 'DELETE', id)
    await pause(20)
  }
  return chats
}

/** One chat for all the time, behind a proxy that cuts; of its events the last are kept. */
async function stay(server: ServerProcess, agent: Agent, end: number): Promise<number> {
  const proxy = await startProxy(server.port)
  const timer = setInterval(() => proxy.cut(), CUT_EVERY_MS)
  onTestFinished(() => {
    clearInterval(timer)
    return proxy.close()
  })
  await ask(server, 'PUT', 'stay', { retention: { maxEvents: KEPT_EVENTS } })
  const client = createClient({ url: `http://127.0.0.1:${proxy.port}`, token: API_KEY })
  onTestFinished(() => client.close())
  const session = client.session('stay')
  let last = 0
  const holes: string[] = []
  session.on('event', ({ serial }) => {
    // It comes in by a snapshot, whatever was before that.
    if (last !== 0 && serial !== last + 1) holes.push(`${last} -> ${serial}`)
    last = serial
  })
  session.on('reset', ({ reason }) => holes.push(`reset: ${reason}`))
  await until('it watches', () => client.state === 'live')
  for (let n = 0; performance.now() < end; n++) await say(agent, 'stay', `prompt-${n}`, 20)
  const { head } = await ask(server, 'GET', 'stay')
  const serial = Number(String(head).split('.')[1])
  await until('all is there', () => last === serial)
  expect(holes).toEqual([])
  return serial
}

/** @returns the server's memory in bytes, evenly over the time */
async function watchMemory(server: ServerProcess, end: number): Promise<readonly number[]> {
  const samples: number[] = []
  while (performance.now() < end) {
    samples.push(await server.residentBytes())
    await pause(SOAK_MS / SAMPLES)
  }
  return samples
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

describe.each(['SQLite', 'Redis'])('hours of work on %s', (store) => {
  let redis: RedisServer | null = null
  let server: ServerProcess
  beforeAll(async () => {
    redis = store === 'Redis' ? await startRedis() : null
    server = await startServerProcess(redis === null ? {} : { REDIS_URL: redis.url })
  })
  afterAll(async () => {
    await server?.stop()
    await redis?.stop()
  })

  test(
    'serials go on without a hole, and memory stays flat (S2-01)',
    async () => {
      const agent = createAgent({ url: server.url, apiKey: API_KEY })
      onTestFinished(() => agent.close())
      const end = performance.now() + SOAK_MS
      const [events, chats, memory] = await Promise.all([
        stay(server, agent, end),
        comeAndGo(server, agent, end),
        watchMemory(server, end),
      ])
      const quarter = Math.floor(memory.length / 4)
      const early = median(memory.slice(quarter, 2 * quarter)) / MB
      const late = median(memory.slice(3 * quarter)) / MB
      console.log(
        `${store}: ${events} events in one chat, ${chats} chats besides; ` +
          `${early.toFixed(0)} MB in the second quarter, ${late.toFixed(0)} MB in the last`,
      )
      expect(chats).toBeGreaterThan(1)
      expect(late).toBeLessThan(SOAK_MS >= TELLING_MS ? early * 1.1 + 8 : early * 2 + 64)
    },
    SOAK_MS + 120_000,
  )
})
