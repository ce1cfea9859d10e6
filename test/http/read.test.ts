import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../support/until.ts'
import { idOf, startHttp, type Answered, type HttpServer } from './http-server.ts'
import { RawHttp, rawRequest } from './raw-http.ts'

let server: HttpServer
const PATH = '/v1/sessions/log/events'
beforeAll(async () => {
  server = await startHttp()
  await server.ask('PUT', '/v1/sessions/log')
  // 100 events with the session's own, of distinct moments in groups of three.
  for (let n = 2; n <= 100; n++) {
    await server.ask('POST', PATH, { body: { type: 'x.n', data: n } })
  }
})

afterAll(() => server?.close())

const read = (query: string, path = PATH): Promise<Answered> =>
  server.ask('GET', `${path}?${query}`)
const serials = ({ json }: Answered): number[] =>
  json.events.map(({ serial }: { serial: number }) => serial)
const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)

describe('[P-9.4] reading events', () => {
  test('after a serial, in pages, until there is no more', async () => {
    const found: number[] = []
    let after = '0'
    for (let more = true; more;) {
      const page = await read(`after=${after}&limit=7`)
      found.push(...serials(page))
      after = page.json.position
      more = page.json.more
    }
    expect(found).toEqual(range(1, 100))
    expect(after).toBe((await server.ask('GET', '/v1/sessions/log')).json.head)
    expect(serials(await read(`after=${after}`))).toEqual([])
    expect((await read(`after=${after}`)).json).toMatchObject({
      position: after,
      head: after,
      more: false,
    })
  })

  test('the default is 100 events from the earliest that is kept', async () => {
    expect(serials(await server.ask('GET', PATH))).toEqual(range(1, 100))
  })

  test('an event is as it was stored', async () => {
    const { json } = await read('after=41&limit=1')
    expect(json.events[0]).toEqual({
      serial: 42,
      tag: expect.stringMatching(/^[\w-]{8}$/),
      prev: expect.stringMatching(/^[\w-]{8}$/),
      at: expect.any(Number),
      type: 'x.n',
      id: expect.any(String),
      by: { subject: 'key:agent' },
      data: 42,
    })
    expect(json.position).toBe(`${json.epoch}.42.${json.events[0].tag}`)
  })

  test('before: the last ones below a serial, and further back by the first of them', async () => {
    expect(serials(await read('before=51&limit=5'))).toEqual(range(46, 50))
    const found: number[] = []
    let before = 101
    for (let more = true; more;) {
      const page = await read(`before=${before}&limit=9`)
      found.unshift(...serials(page))
      before = serials(page)[0] ?? 0
      more = page.json.more
    }
    expect(found).toEqual(range(1, 100))
    expect(serials(await read('before=1'))).toEqual([])
    expect(serials(await read('before=999&limit=2'))).toEqual([99, 100])
  })

  test('after and before together are a range', async () => {
    expect(serials(await read('after=10&before=15'))).toEqual(range(11, 14))
    const page = await read('after=10&before=15&limit=2')
    expect(serials(page)).toEqual([11, 12])
    expect(page.json.more).toBe(true)
    const none = await read('after=10&before=11')
    expect(serials(none)).toEqual([])
    expect(none.json.position).toMatch(/\.10\./)
  })

  test('from and to: every pair of moments gives what lies between them (S0-09)', async () => {
    const all = (await read('after=0&limit=1000')).json.events as { serial: number; at: number }[]
    const moments = [...new Set(all.flatMap(({ at }) => [at - 1, at, at + 1]))]
    for (const from of moments.filter((_, index) => index % 17 === 0)) {
      const expected = all.filter(({ at }) => at >= from).map(({ serial }) => serial)
      expect(serials(await read(`from=${from}`))).toEqual(expected)
      for (const to of moments.filter((_, index) => index % 41 === 0)) {
        const between = all.filter(({ at }) => at >= from && at <= to).map(({ serial }) => serial)
        expect(serials(await read(`from=${from}&to=${to}`))).toEqual(between)
      }
    }
    const to = all[59]?.at ?? 0
    const until60 = all.filter(({ at }) => at <= to).map(({ serial }) => serial)
    expect(serials(await read(`to=${to}&limit=3`))).toEqual(until60.slice(-3))
    expect(serials(await read('to=0'))).toEqual([])
    expect(serials(await read(`from=${Number.MAX_SAFE_INTEGER}`))).toEqual([])
  })

  test('a page of large events is cut by bytes: forwards at its end, backwards at its beginning', async () => {
    await server.ask('PUT', '/v1/sessions/large')
    const path = '/v1/sessions/large/events'
    const data = 'a'.repeat(60_000)
    for (let n = 0; n < 60; n++) await server.ask('POST', path, { body: { type: 'x.n', data } })
    const forwards = await read('after=1&limit=60', path)
    expect(serials(forwards)[0]).toBe(2)
    expect(serials(forwards).length).toBeLessThan(30)
    expect(forwards.json.more).toBe(true)
    const backwards = await read('before=62&limit=60', path)
    expect(serials(backwards).at(-1)).toBe(61)
    expect(serials(backwards).length).toBeLessThan(30)
    expect(backwards.json.more).toBe(true)
  })

  test.for([
    ['epoch', (position: string) => `AAAAAAAAAA${position.slice(10)}`],
    ['fork', (position: string) => `${position.slice(0, -8)}AAAAAAAA`],
    ['ahead', (position: string) => position.replace(/\.\d+\./, '.1000.')],
  ] as const)('a position that cannot be followed is 410: %s', async ([reason, change]) => {
    const { json: before } = await server.ask('GET', '/v1/sessions/log')
    const { status, json } = await read(`after=${change(before.head)}`)
    expect({ status, json }).toMatchObject({
      status: 410,
      json: { code: 'position_unrecoverable', reason, floor: 0, head: before.head },
    })
  })

  test('what retention dropped is said: trimmed, and from 0 on the earliest that is kept', async () => {
    await server.ask('PUT', '/v1/sessions/short')
    const path = '/v1/sessions/short/events'
    const positions: string[] = []
    for (let n = 0; n < 20; n++) {
      await server.ask('POST', path, { body: { type: 'x.n' } })
      positions.push((await server.ask('GET', '/v1/sessions/short')).json.head)
    }
    const policy = { maxEvents: 5, maxBytes: null, maxAgeMs: null, notAfter: 16, limit: 100 }
    await server.store.trim(idOf('short'), policy)
    for (const after of [positions[0] ?? '', '3']) {
      const { status, json } = await read(`after=${after}`, path)
      expect({ status, json }).toMatchObject({
        status: 410,
        json: { reason: 'trimmed', floor: 16 },
      })
    }
    expect(serials(await read('after=0', path))).toEqual(range(17, 21))
    expect(serials(await read('after=16', path))).toEqual(range(17, 21))
    expect(serials(await read('before=19', path))).toEqual([17, 18])
    expect((await read('before=19', path)).json).toMatchObject({ floor: 16, more: false })
    expect(serials(await read('from=0', path))).toEqual(range(17, 21))
  })

  test.for([
    'after=1&from=1',
    'before=5&wait=1',
    'to=5&wait=1',
    'wait=31',
    'wait=-1',
    'wait=0.5',
    'from=x',
    'to=-1',
  ])('refuses %s', async (query) => {
    const { status, json } = await read(query)
    expect({ status, code: json.code }).toEqual({ status: 400, code: 'invalid_request' })
  })
})

describe('[P-9.4] waiting', () => {
  async function wait(name: string): Promise<{ path: string; position: string }> {
    const { json } = await server.ask('PUT', `/v1/sessions/${name}`)
    return { path: `/v1/sessions/${name}/events`, position: json.head }
  }

  test('holds the answer until there is an event', async () => {
    const { path, position } = await wait('wait-1')
    const asked = read(`after=${position}&wait=30`, path)
    await until('the session is watched', () => server.watched('wait-1'))
    await server.ask('POST', path, { body: { type: 'x.n' } })
    expect(serials(await asked)).toEqual([2])
  })

  test('does not wait where there is something', async () => {
    const { path } = await wait('wait-2')
    expect(serials(await read('after=0&wait=30', path))).toEqual([1])
  })

  test('answers with nothing when the time is over', async () => {
    const { path, position } = await wait('wait-3')
    const answered = await read(`after=${position}&wait=1`, path)
    expect(answered.json).toMatchObject({ events: [], position, more: false })
  })

  test('ends when the session is removed', async () => {
    const { path, position } = await wait('wait-4')
    const asked = read(`after=${position}&wait=30`, path)
    await until('the session is watched', () => server.watched('wait-4'))
    await server.ask('DELETE', '/v1/sessions/wait-4')
    expect((await asked).json.code).toBe('session_not_found')
  })

  test('lets go when the client goes away', async () => {
    const { path, position } = await wait('wait-5')
    const raw = new RawHttp(server.port, rawRequest(`GET ${path}?after=${position}&wait=30`))
    onTestFinished(() => raw.close())
    await until('the session is watched', () => server.watched('wait-5'))
    raw.close()
    await until('nobody watches', () => !server.watched('wait-5'))
  })

  test('lets go when the node goes down', async () => {
    const other = await startHttp()
    const { json } = await other.ask('PUT', '/v1/sessions/s1')
    const asked = other.ask('GET', `/v1/sessions/s1/events?after=${json.head}&wait=30`)
    await until('the session is watched', () => other.watched('s1'))
    const closed = other.app.close()
    expect((await asked).json).toMatchObject({ events: [], position: json.head })
    await closed
    await other.close()
  })
})
