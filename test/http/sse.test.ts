import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { DOWN_FRAMES, type DownType } from '../../src/protocol/frames-down.ts'
import { until } from '../support/until.ts'
import { ORIGIN, startHttp, type Ask, type HttpServer } from './http-server.ts'
import { RawHttp, rawRequest } from './raw-http.ts'
import { SseClient } from './sse-client.ts'

let server: HttpServer
let session = ''
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp({
    limits: { heartbeatMs: 50, foldAfterEvents: 20, maxEventBytes: 200_000 },
  })
})

beforeEach(async () => {
  session = `sse-${++made}`
  path = `/v1/sessions/${session}/events`
  await server.ask('PUT', `/v1/sessions/${session}`)
})

afterAll(() => server?.close())

async function follow(query = '', ask: Ask = {}): Promise<SseClient> {
  const client = await SseClient.open(server, `${path}${query}`, ask)
  onTestFinished(() => client.close())
  return client
}

const append = async (data: unknown): Promise<void> => {
  const { status } = await server.ask('POST', path, { body: { type: 'x.n', data } })
  expect(status).toBe(200)
}
const resume = (position: string | null): Ask => ({ headers: { 'last-event-id': position ?? '' } })

describe('[P-9.5] server-sent events', () => {
  test('a heartbeat comes at once and again, then where this reader stands, then the snapshot', async () => {
    const client = await follow()
    await client.until(({ event }) => event === 'snapshot')
    expect(
      client.messages
        .map(({ event }) => event)
        .filter((event, index, all) => all.indexOf(event) === index),
    ).toEqual(['heartbeat', 'attached', 'snapshot'])
    const [heartbeat, attached] = client.messages
    expect(heartbeat?.data).toMatchObject({ heads: { [session]: expect.stringMatching(/\.1\./) } })
    expect(attached?.data).toMatchObject({ mode: 'snapshot', head: heartbeat?.data.heads[session] })
    await until(
      'it beats',
      () => client.messages.filter(({ event }) => event === 'heartbeat').length > 3,
    )
  })

  test('says that it is not to be held back, kept or changed on its way', async () => {
    const { response } = await follow()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('x-request-id')).toMatch(/\S/)
  })

  test('padding comes before anything else', async () => {
    const client = await follow('?padding=2048')
    await client.until(({ event }) => event === 'heartbeat')
    expect(client.text.startsWith(`:${' '.repeat(2048)}\n\n`)).toBe(true)
  })

  test('every message is a frame of the protocol, named by its type, with the position that it reaches', async () => {
    const client = await follow()
    await client.until(({ event }) => event === 'snapshot')
    await append(1)
    await append(2)
    await client.until(({ data }) => JSON.stringify(data).includes('"serial":3,'))
    for (const { event, id, data } of client.messages) {
      expect(data.type).toBe(event)
      expect(DOWN_FRAMES[event as DownType].safeParse(data).success).toBe(true)
      if (event === 'snapshot') expect(id).toBe(data.position)
      else if (event === 'events')
        expect(id).toMatch(new RegExp(`\\.${data.events.at(-1).serial}\\.`))
      else expect(id).toBeNull()
    }
  })

  test('Last-Event-ID resumes: over any number of reconnects each event comes once, in order', async () => {
    const total = 60
    let position: string | null = (await server.ask('GET', `/v1/sessions/${session}`)).json.head
    const found: number[] = []
    const appending = (async () => {
      for (let n = 0; n < total; n++) await append(n)
    })()
    for (let cut = 1; found.length < total; cut++) {
      const client = await follow('', resume(position))
      await until(
        'a few more came',
        () => client.events.length >= Math.min(cut, total - found.length),
      )
      client.close()
      // Exactly what was taken counts, and the id that belongs to it.
      found.push(...client.events.map(({ serial }) => serial))
      position = client.lastId ?? position
      expect(client.messages.some(({ event }) => event === 'snapshot' || event === 'reset')).toBe(
        false,
      )
    }
    await appending
    expect(found).toEqual(Array.from({ length: total }, (_, n) => n + 2))
  })

  test('Last-Event-ID goes before after, and an empty one is none', async () => {
    for (let n = 2; n <= 5; n++) await append(n)
    const { json } = await server.ask('GET', `${path}?after=3&limit=1`)
    const client = await follow('?after=1', resume(json.position))
    await client.until(({ event }) => event === 'events')
    expect(client.events.map(({ serial }) => serial)).toEqual([5])
    const other = await follow('?after=1', resume(''))
    await other.until(({ event }) => event === 'events')
    expect(other.events[0]?.serial).toBe(2)
  })

  test('after may be a serial, whatever it is', async () => {
    for (let n = 2; n <= 6; n++) await append(n)
    for (const after of [0, 1, 4, 5]) {
      const client = await follow(`?after=${after}`)
      await client.until(({ event }) => event === 'events')
      expect(client.events[0]?.serial).toBe(after + 1)
    }
    const current = await follow('?after=6')
    expect((await current.until(({ event }) => event === 'attached')).data.mode).toBe('resumed')
    const ahead = await follow('?after=99')
    expect((await ahead.until(({ event }) => event === 'reset')).data.reason).toBe('ahead')
    await ahead.until(({ event }) => event === 'snapshot')
  })

  test.for([
    ['epoch', (position: string) => `AAAAAAAAAA${position.slice(10)}`],
    ['fork', (position: string) => `${position.slice(0, -8)}AAAAAAAA`],
    ['ahead', (position: string) => position.replace(/\.\d+\./, '.1000.')],
  ] as const)(
    '[P-4.4] what can’t be given is said, and a snapshot follows: %s',
    async ([reason, change]) => {
      await append(1)
      const { json } = await server.ask('GET', `/v1/sessions/${session}`)
      const refused = change(json.head)
      const client = await follow('', resume(refused))
      const { data } = await client.until(({ event }) => event === 'reset')
      expect(data).toMatchObject({ reason, position: refused, head: json.head })
      const { id } = await client.until(({ event }) => event === 'snapshot')
      expect(id).toBe(json.head)
      await append(2)
      await client.until(({ event }) => event === 'events')
      expect(client.events.map(({ data: n }) => n)).toEqual([2])
    },
  )

  test('[P-4.2] whoever missed much gets it folded, or, if asked for, event by event', async () => {
    const start = (await server.ask('GET', `/v1/sessions/${session}`)).json.head
    for (let n = 0; n < 30; n++) await append(n)
    const folded = await follow('', resume(start))
    const { data } = await folded.until(({ event }) => event === 'snapshot')
    expect(data.since).toBe(1)
    const all = await follow('?catchup=events', resume(start))
    await until('all came', () => all.events.length === 30)
    expect(all.messages.some(({ event }) => event === 'snapshot')).toBe(false)
  })

  test('data with line breaks between its tokens arrives as it is', async () => {
    const raw = '{"type":"x.n","data":{\r\n "a":\r1,\n "b": "c"\n}}'
    await server.ask('POST', path, { raw, headers: { 'content-type': 'application/json' } })
    const client = await follow('?after=1')
    await client.until(({ event }) => event === 'events')
    expect(client.events[0]?.data).toEqual({ a: 1, b: 'c' })
  })

  test('ends with an error when the session is removed, and then there is none', async () => {
    const client = await follow()
    await client.until(({ event }) => event === 'snapshot')
    await server.ask('DELETE', `/v1/sessions/${session}`)
    const { data } = await client.until(({ event }) => event === 'error')
    expect(data).toMatchObject({ code: 'session_not_found', session, ref: null })
    await client.untilEnd()
    const { status } = await server.ask('GET', path, { headers: { accept: 'text/event-stream' } })
    expect(status).toBe(404)
  })

  test('[P-6.2] needs subscribe, where reading needs history', async () => {
    const accept = { accept: 'text/event-stream' }
    const watcher = await server.token({ sessions: ['sse-*'], capabilities: ['subscribe'] })
    const reader = await server.token({ sessions: ['sse-*'], capabilities: ['history'] })
    expect((await server.ask('GET', path, { credential: reader, headers: accept })).status).toBe(
      403,
    )
    expect((await server.ask('GET', path, { credential: watcher })).status).toBe(403)
    expect((await server.ask('GET', path, { credential: reader })).status).toBe(200)
    const client = await follow('', { credential: watcher })
    await client.until(({ event }) => event === 'snapshot')
  })

  test('[P-6.4] ends when its token is over', async () => {
    const credential = await server.token({ sessions: ['sse-*'], ttlMs: 2000 })
    const client = await follow('', { credential })
    const { data } = await client.until(({ event }) => event === 'error')
    expect(data).toMatchObject({ code: 'invalid_token' })
    await client.untilEnd()
  })

  test('[P-4.12] its reader is sent away when the node goes down, and no new one is taken', async () => {
    const other = await startHttp()
    await other.ask('PUT', '/v1/sessions/s1')
    const client = await SseClient.open(other, '/v1/sessions/s1/events')
    await client.until(({ event }) => event === 'snapshot')
    other.drain()
    const refused = await other.ask('GET', '/v1/sessions/s1/events', {
      headers: { accept: 'text/event-stream' },
    })
    expect(refused.json.code).toBe('draining')
    await other.app.close()
    const { data } = await client.until(({ event }) => event === 'goaway')
    expect(data).toMatchObject({ reason: 'draining', afterMs: expect.any(Number) })
    await client.untilEnd()
    expect(client.text).toMatch(/retry: \d+\n\n$/)
    await other.close()
  })

  test('[P-4.11] a reader that does not read costs little, delays nobody, and resumes', async () => {
    const other = await startHttp({ limits: { outboxBytes: 64 * 1024, slowConsumerMs: 200 } })
    onTestFinished(() => other.close())
    await other.ask('PUT', '/v1/sessions/s1')
    const slow = new RawHttp(
      other.port,
      rawRequest('GET /v1/sessions/s1/events?after=1', { Accept: 'text/event-stream' }),
    )
    onTestFinished(() => slow.close())
    await slow.untilText('event: attached')
    slow.freeze()
    const fast = await SseClient.open(other, '/v1/sessions/s1/events?after=1')
    const data = 'a'.repeat(60_000)
    for (let n = 0; n < 200; n++) {
      await other.ask('POST', '/v1/sessions/s1/events', { body: { type: 'x.n', data } })
    }
    await until('the other has all', () => fast.events.length === 200)
    fast.close()
    await until('the slow one is cut', () =>
      other.logged.some(({ event }) => event === 'http.stream_cut'),
    )
    expect(other.errors()).toEqual([])
  }, 30_000)

  test('a client that goes away lets go of everything', async () => {
    const client = await follow()
    await client.until(({ event }) => event === 'snapshot')
    expect(server.watched(session)).toBe(true)
    client.close()
    await until('nobody watches', () => !server.watched(session))
  })

  test.for(['padding=9000', 'catchup=all', 'after=x', 'limit=1'])('refuses %s', async (query) => {
    const { status } = await server.ask('GET', `${path}?${query}`, {
      headers: { accept: 'text/event-stream' },
    })
    expect(status).toBe(400)
  })

  test('a browser of an allowed origin may read it', async () => {
    const client = await follow('', { headers: { origin: ORIGIN } })
    expect(client.response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
  })
})
