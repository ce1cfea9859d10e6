import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer

beforeAll(async () => {
  server = await startHttp()
})

afterAll(() => server?.close())

const settings = { ttlMs: 60_000, retention: { maxEvents: 100 } }

describe('[P-9.1] sessions', () => {
  test('PUT creates, with 201 and a location, and then gets, with 200', async () => {
    const body = { metadata: { title: 'A' }, ...settings }
    const made = await server.ask('PUT', '/v1/sessions/put', { body })
    expect(made.status).toBe(201)
    expect(made.headers.get('location')).toBe('/v1/sessions/put')
    expect(made.json).toMatchObject({
      session: 'put',
      metadata: { title: 'A' },
      ttlMs: 60_000,
      retention: { maxAgeMs: null, maxEvents: 100, maxBytes: null },
      closed: false,
      floor: 0,
    })
    const again = await server.ask('PUT', '/v1/sessions/put', { body })
    expect(again.status).toBe(200)
    expect(again.json).toEqual(made.json)
    expect((await server.ask('GET', '/v1/sessions/put')).json).toEqual(made.json)
  })

  test('PUT needs no body, and settings that are not named are those of the session', async () => {
    await server.ask('PUT', '/v1/sessions/bare', { body: settings })
    const { status, json } = await server.ask('PUT', '/v1/sessions/bare')
    expect({ status, ttlMs: json.ttlMs }).toEqual({ status: 200, ttlMs: 60_000 })
  })

  test.for([
    { ttlMs: 1 },
    { ttlMs: null },
    { retention: { maxEvents: 7 } },
    { retention: { maxEvents: 100, maxBytes: 1 } },
  ])('PUT with other settings than those of the session is session_exists: %j', async (body) => {
    await server.ask('PUT', '/v1/sessions/other', { body: settings })
    const { status, json } = await server.ask('PUT', '/v1/sessions/other', { body })
    expect({ status, code: json.code }).toEqual({ status: 409, code: 'session_exists' })
  })

  test('PUT leaves the metadata of a session as it is', async () => {
    await server.ask('PUT', '/v1/sessions/kept', { body: { metadata: { a: 1 } } })
    const { json } = await server.ask('PUT', '/v1/sessions/kept', { body: { metadata: { a: 2 } } })
    expect(json.metadata).toEqual({ a: 1 })
  })

  test('of many that create at once, one does', async () => {
    const all = await Promise.all(
      Array.from({ length: 20 }, () => server.ask('PUT', '/v1/sessions/race')),
    )
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(new Set(all.map(({ json }) => json.head)).size).toBe(1)
  })

  test('POST mints an id', async () => {
    const one = await server.ask('POST', '/v1/sessions', { body: { metadata: { n: 1 } } })
    const two = await server.ask('POST', '/v1/sessions')
    expect([one.status, two.status]).toEqual([201, 201])
    expect(one.json.session).toMatch(/^[A-Za-z0-9][A-Za-z0-9_-]{15}$/)
    expect(one.json.session).not.toBe(two.json.session)
    expect(one.headers.get('location')).toBe(`/v1/sessions/${one.json.session}`)
  })

  test('POST is refused to whoever would not reach what it mints', async () => {
    const credential = await server.token({ sessions: ['mine-*'] })
    const { status, json } = await server.ask('POST', '/v1/sessions', { credential })
    expect({ status, code: json.code }).toEqual({ status: 403, code: 'forbidden' })
  })

  test('PATCH merges metadata, removes with null, and is an event', async () => {
    await server.ask('PUT', '/v1/sessions/patched', { body: { metadata: { a: 1, b: 2 } } })
    const body = { metadata: { a: null, c: [3] } }
    const { json } = await server.ask('PATCH', '/v1/sessions/patched', { body })
    expect(json.metadata).toEqual({ b: 2, c: [3] })
    const { json: page } = await server.ask('GET', '/v1/sessions/patched/events?after=1')
    expect(page.events).toMatchObject([
      { type: 'session.updated', data: { metadata: { b: 2, c: [3] } } },
    ])
  })

  test('PATCH changes one bound and leaves the others', async () => {
    const retention = { maxEvents: 100, maxBytes: 5000 }
    await server.ask('PUT', '/v1/sessions/bounds', { body: { ttlMs: 1000, retention } })
    const body = { retention: { maxEvents: null, maxAgeMs: 9000 } }
    const { json } = await server.ask('PATCH', '/v1/sessions/bounds', { body })
    expect(json).toMatchObject({
      ttlMs: 1000,
      retention: { maxAgeMs: 9000, maxEvents: null, maxBytes: 5000 },
    })
  })

  test('close ends appends, not reads, and again changes nothing', async () => {
    await server.ask('PUT', '/v1/sessions/done')
    const body = { reason: 'finished' }
    const closed = await server.ask('POST', '/v1/sessions/done/close', { body })
    expect(closed.json).toMatchObject({ closed: true })
    const again = await server.ask('POST', '/v1/sessions/done/close')
    expect(again.json).toEqual(closed.json)
    const refused = await server.ask('POST', '/v1/sessions/done/events', { body: { type: 'x.a' } })
    expect(refused.json.code).toBe('session_closed')
    const patched = await server.ask('PATCH', '/v1/sessions/done', { body: {} })
    expect(patched.json.code).toBe('session_closed')
    const { json } = await server.ask('GET', '/v1/sessions/done/events?after=1')
    expect(json.events).toMatchObject([{ type: 'session.closed', data: { reason: 'finished' } }])
  })

  test('DELETE removes it, and a session made again has another epoch', async () => {
    const before = await server.ask('PUT', '/v1/sessions/gone')
    expect((await server.ask('DELETE', '/v1/sessions/gone')).status).toBe(204)
    expect((await server.ask('GET', '/v1/sessions/gone')).json.code).toBe('session_not_found')
    expect((await server.ask('DELETE', '/v1/sessions/gone')).status).toBe(404)
    const after = await server.ask('PUT', '/v1/sessions/gone')
    expect(after.json.head.split('.')[0]).not.toBe(before.json.head.split('.')[0])
    const stale = await server.ask('GET', `/v1/sessions/gone/events?after=${before.json.head}`)
    expect(stale.json).toMatchObject({ code: 'position_unrecoverable', reason: 'epoch' })
  })

  test('metadata that would not fit into an event is refused', async () => {
    const body = { metadata: { a: 'é'.repeat(40_000) } }
    const { status, json } = await server.ask('PUT', '/v1/sessions/large', { body })
    expect({ status, code: json.code }).toEqual({ status: 413, code: 'payload_too_large' })
  })
})

describe('[P-9.2] the list of sessions', () => {
  async function walk(query: string, credential?: string): Promise<string[]> {
    const found: string[] = []
    let cursor: string | null = null
    let pages = 0
    do {
      const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { status, json } = await server.ask('GET', `/v1/sessions?${query}${more}`, {
        ...(credential !== undefined && { credential }),
      })
      expect(status).toBe(200)
      found.push(...json.sessions.map(({ session }: { session: string }) => session))
      cursor = json.cursor
    } while (cursor !== null && ++pages < 100)
    return found.sort()
  }

  beforeAll(async () => {
    for (let n = 0; n < 25; n++) {
      const metadata = { even: n % 2 === 0, owner: n < 10 ? 'anna' : 'ben', n, ['']: 'empty' }
      await server.ask('PUT', `/v1/sessions/list-${n}`, { body: { metadata } })
    }
    await server.ask('PUT', '/v1/sessions/list')
  })

  test('gives every session once, in pages of any size', async () => {
    for (const limit of [1, 3, 7, 200]) {
      const found = await walk(`prefix=list-&limit=${limit}`)
      expect(found).toHaveLength(25)
      expect(new Set(found).size).toBe(25)
    }
  })

  test('finds by metadata: text, numbers, booleans, and all that are named', async () => {
    expect(await walk('prefix=list-&metadata.owner=anna&limit=2')).toHaveLength(10)
    expect(await walk('prefix=list-&metadata.n=7')).toEqual(['list-7'])
    expect(await walk('prefix=list-&metadata.even=true&metadata.owner=anna')).toHaveLength(5)
    expect(await walk('prefix=list-&metadata.owner=carl')).toEqual([])
    expect(await walk('prefix=list-&metadata.toString=x')).toEqual([])
  })

  test('holds only what the credentials reach, and its cursors come near nothing else', async () => {
    const credential = await server.token({ sessions: ['list-1*', 'list-10', 'list', 'none'] })
    const expected = Array.from({ length: 10 }, (_, n) => `list-1${n}`)
    const found = await walk('limit=1', credential)
    expect(found).toEqual(['list', 'list-1', ...expected].sort())
    const narrow = await server.token({ sessions: ['list-2'] })
    const { json } = await server.ask('GET', '/v1/sessions?limit=1', { credential: narrow })
    expect(json).toMatchObject({ sessions: [{ session: 'list-2' }], cursor: null })
    expect(await walk('prefix=list-2', narrow)).toEqual(['list-2'])
    expect(await walk('prefix=put', narrow)).toEqual([])
  })

  test.for(['cursor=x', 'cursor=-1.', 'prefix=a%2Fb', 'limit=201'])('refuses %s', async (query) => {
    expect((await server.ask('GET', `/v1/sessions?${query}`)).status).toBe(400)
  })
})
