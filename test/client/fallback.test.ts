import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { formatPosition } from '../../src/protocol/position.ts'
import { SseLines } from '../../src/client/transport/sse-lines.ts'
import fc from 'fast-check'
import { settle } from './support/fake-clock.ts'
import { makeHttpWorld } from './support/http-setup.ts'
import { problem } from './support/model-http.ts'

const said = (id: string) => ({
  type: 'message.completed',
  data: { message: id, role: 'user', parts: [] },
})
const x = () => ({ type: 'x.note', data: {} })

describe.each(['sse', 'long-poll'] as const)('over %s', (kind) => {
  const ready = async () => {
    const world = makeHttpWorld()
    world.server.append('s', ...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(said))
    const client = world.openHttp(kind)
    const session = client.session('s')
    const serials: number[] = []
    session.on('event', (event) => serials.push(event.serial))
    await settle()
    return { ...world, client, session, serials }
  }

  test('the view comes, and what follows it', async () => {
    const { client, session, server, http, serials } = await ready()
    expect(client.state).toBe('live')
    expect([...session.view.messages.values()]).toEqual([...server.log('s').view.messages.values()])
    expect(session.view.rest()).toEqual(server.log('s').view.rest())
    server.append('s', said('h'), x())
    http.wake()
    await settle()
    expect(serials).toEqual([8, 9])
    expect(session.position).toBe(formatPosition(server.log('s').head))
    expect(session.view.tip).toBe('h')
  })

  test('a loss resumes from the position', async () => {
    const { server, http, serials, clock, client } = await ready()
    server.append('s', x())
    http.wake()
    await settle()
    http.away = true
    for (const connection of server.openConnections) connection.cut()
    await clock.advance(60_000)
    expect(client.state).toBe('recovering')
    server.append('s', x(), x())
    http.away = false
    await clock.advance(40_000)
    expect(serials).toEqual([8, 9, 10])
    expect(client.state).toBe('live')
  })

  test.each([200, 403, 404, 408])(
    'a %i that a proxy answers in the place of the server is a loss, and ends no session',
    async (status) => {
      const { server, http, session, serials, clock } = await ready()
      const page = () => new Response('<html>not here</html>', { status })
      http.refusals.push(page(), page(), page())
      for (const connection of server.openConnections) connection.cut()
      http.wake()
      await clock.advance(60_000)
      server.append('s', x())
      http.wake()
      await clock.advance(40_000)
      expect(http.refusals).toEqual([])
      expect(serials).toEqual([8])
      expect(session.state).toBe('live')
    },
  )

  test('what the server refuses a session with ends it, as over a socket', async () => {
    const { server, http, session, clock } = await ready()
    http.refusals.push(problem(404, { code: 'session_not_found' }))
    for (const connection of server.openConnections) connection.cut()
    http.wake()
    await clock.advance(60_000)
    expect(http.refusals).toEqual([])
    expect(session.state).toBe('failed')
  })

  test('what cannot be followed is reset, and told', async () => {
    const { server, http, session, clock } = await ready()
    const resets: string[] = []
    session.on('reset', (reset) => resets.push(reset.reason))
    server.log('s').recreate()
    server.append('s', said('z'))
    http.wake()
    await clock.advance(1000)
    expect(resets).toEqual(['epoch'])
    expect(session.messages.map((message) => message.id)).toEqual(['z'])
  })

  test('publishing is a request; a failure of the network is no refusal', async () => {
    const { http, session, clock, server } = await ready()
    http.refusals.push(problem(503, { code: 'outcome_unknown', retryable: true }))
    const sent = session.send('hi', { id: 'mine' })
    expect(session.messages.at(-1)).toHaveProperty('pending', true)
    await clock.advance(2000)
    expect(await sent).toMatchObject({ first: 8 })
    expect(session.messages.at(-1)).not.toHaveProperty('pending')
    http.refusals.push(problem(403, { code: 'forbidden' }))
    await expect(session.publish(x())).rejects.toMatchObject({ code: 'forbidden' })
    expect(server.log('s').events).toHaveLength(8)
  })

  test.each([
    ['nothing in it', ''],
    ['a page', '<html>Welcome</html>'],
    ['an object that is no ack', '{"ok":true}'],
    ['a text', '"ok"'],
  ])(
    '[P-2.7] a 200 with %s is no ack: what was published is sent again, with the same id',
    async (_, body) => {
      const { http, session, clock, server } = await ready()
      http.refusals.push(new Response(body), new Response(body))
      const [sent, published] = [session.send('hi', { id: 'mine' }), session.publish(x())]
      await clock.advance(5000)
      expect(await sent).toMatchObject({ first: 8 })
      expect(await published).toMatchObject({ first: 9 })
      expect(session.outbox).toEqual([])
      expect(server.log('s').events).toHaveLength(9)
    },
  )

  test('[P-9.4] an answer that is no page of events is no end of them: it is asked for again', async () => {
    const { http, session, clock } = await ready()
    const read = session.events({ after: 5 })[Symbol.asyncIterator]()
    http.refusals.push(new Response(''), new Response('{}'), new Response('[]'))
    const [six, seven] = [read.next(), read.next()]
    await clock.advance(10_000)
    expect(await six).toMatchObject({ value: { serial: 6 } })
    expect(await seven).toMatchObject({ value: { serial: 7 } })
  })

  test('in a browser four sessions are held open at once; others are looked at in turn, and take the place of who leaves', async () => {
    vi.stubGlobal('location', { href: 'http://page/' })
    // As where a page is only played, and in some web views.
    vi.stubGlobal('performance', {})
    onTestFinished(() => void vi.unstubAllGlobals())
    const { client, session, http, server, clock } = await ready()
    const held = () => {
      const open = http.requests.filter(
        ({ query, headers }) => query.has('wait') || headers.get('accept') === 'text/event-stream',
      )
      return [...new Set(open.map(({ path }) => path.split('/')[3]))]
    }
    const others = ['t', 'u', 'v', 'w', 'x'].map((id) => client.session(id))
    for (const other of others) other.attach()
    await clock.advance(100)
    expect(others.map(({ state }) => state)).toEqual(others.map(() => 'live'))
    for (const other of others) server.append(other.id, said(`to-${other.id}`))
    http.wake()
    await clock.advance(3000)
    expect(held()).toEqual(['s', 't', 'u', 'v'])
    const words = () => others.map(({ messages }) => messages.map(({ id }) => id))
    expect(words()).toEqual(others.map(({ id }) => [`to-${id}`]))
    session.detach()
    await clock.advance(3000)
    expect(held()).toHaveLength(5)
    expect(others.map(({ state }) => state)).toEqual(others.map(() => 'live'))
    const entry = { name: 'http://held/v1/sessions/w/events', nextHopProtocol: 'h2' }
    vi.stubGlobal('performance', { getEntriesByType: () => [entry] })
    await clock.advance(3000)
    expect(held()).toEqual(['s', 't', 'u', 'v', 'w', 'x'])
  })

  test('presence is put again and again, and taken away on leaving', async () => {
    const { http, session, clock } = await ready()
    await session.presence({ status: 'here' })
    const [member = ''] = http.members.keys()
    expect(member).toMatch(/^tab-/)
    expect(http.members.get(member)).toEqual({ visible: true, status: 'here', ttlMs: 60_000 })
    http.members.clear()
    await clock.advance(20_000)
    expect(http.members.size).toBe(1)
    session.detach()
    await settle()
    expect(http.members.size).toBe(0)
  })

  test('who leaves while an enter is on its way is gone after it', async () => {
    const { http, session } = await ready()
    const { promise, resolve } = Promise.withResolvers<void>()
    http.held = promise
    void session.presence({ status: 'here' })
    session.detach()
    await settle()
    const asked = () => http.requests.map(({ method }) => method).filter((one) => one !== 'GET')
    expect(asked()).toEqual(['PUT'])
    resolve()
    await settle()
    expect(asked()).toEqual(['PUT', 'DELETE'])
    expect(http.members.size).toBe(0)
  })

  test('[P-9.8] signals and read positions are requests', async () => {
    const { http, session } = await ready()
    expect(session.signal('typing', { on: true })).toBe(true)
    expect(session.signal('bye')).toBe(true)
    await session.read(5)
    expect(http.said).toEqual([
      { signals: { name: 'typing', data: { on: true } } },
      { signals: { name: 'bye' } },
      { read: { serial: 5 } },
    ])
  })

  test('a network that takes no signals has no queue of them, and what is lost of them hurts nobody', async () => {
    const { http, session, client } = await ready()
    const errors: unknown[] = []
    client.on('error', (error) => errors.push(error))
    session.on('error', (error) => errors.push(error))
    const { promise, resolve } = Promise.withResolvers<void>()
    http.held = promise
    const sent = Array.from({ length: 20 }, (_, index) => session.signal('at', index))
    expect(sent.filter(Boolean)).toHaveLength(8)
    resolve()
    await settle()
    http.refusals.push(problem(403, { code: 'forbidden' }))
    expect(session.signal('typing')).toBe(true)
    await settle()
    expect(http.said).toHaveLength(8)
    expect(session.signal('again')).toBe(true)
    expect(errors).toEqual([])
  })

  test('a read position that is refused is refused by its promise', async () => {
    const { http, session } = await ready()
    http.refusals.push(problem(403, { code: 'forbidden' }))
    await expect(session.read(1)).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('a session that is not there fails; what else is attached stays', async () => {
    const { http, client, session, clock } = await ready()
    http.refusals.push(problem(404, { code: 'session_not_found' }))
    const other = client.session('other')
    const errors: string[] = []
    other.on('error', (error) => errors.push(error.code))
    await clock.advance(100)
    expect(errors).toEqual(['session_not_found'])
    expect(other.state).toBe('failed')
    expect(session.state).toBe('live')
  })

  test('[R24] after close() nothing is left', async () => {
    const { client, clock, server, session } = await ready()
    await session.presence({})
    client.close()
    await settle()
    expect(server.openConnections).toEqual([])
    const left = clock.pending
    await clock.advance(60_000)
    // The model's own long-poll may still have been waiting.
    expect(left).toBeLessThanOrEqual(1)
    expect(clock.pending).toBe(0)
  })

  test('[P-6.4] a token that is over: one new one, then unauthorized', async () => {
    const world = makeHttpWorld()
    let count = 0
    const client = world.openHttp(kind, () => `t${count++}`)
    client.session('s').attach()
    const refused = () => problem(401, { code: 'invalid_token' })
    world.http.refusals.push(refused())
    await settle()
    expect(client.state).toBe('live')
    expect(
      world.http.requests.map(({ headers }) => headers.get('authorization')).slice(0, 2),
    ).toEqual(['Bearer t0', 'Bearer t1'])
    const other = world.openHttp(kind, () => 'old')
    other.session('s').attach()
    world.http.refusals.push(...Array.from({ length: 4 }, refused))
    await world.clock.advance(1000)
    expect(other.state).toBe('unauthorized')
  })

  test('an overloaded server is left alone for as long as it asks', async () => {
    const world = makeHttpWorld()
    const busy = problem(503, { code: 'draining', retryable: true }, { 'retry-after': '20' })
    world.http.refusals.push(busy)
    world.openHttp(kind).session('s').attach()
    await world.clock.advance(19_000)
    expect(world.http.requests).toHaveLength(1)
    await world.clock.advance(2000)
    expect(world.http.requests.length).toBeGreaterThan(1)
  })
})

test('a log that is made anew between two pages of the view is no end of the session', async () => {
  const { openHttp, http, server, clock } = makeHttpWorld()
  server.append('s', ...['a', 'b', 'c', 'd'].map(said))
  const session = openHttp('long-poll').session('s')
  const errors: unknown[] = []
  session.on('error', (error) => errors.push(error))
  // The second page begins before a message that is not there any more.
  http.refusals.push(null, problem(404, { code: 'message_not_found' }))
  await clock.advance(5000)
  expect(session.messages.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd'])
  expect(errors).toEqual([])
})

describe('falling', () => {
  test('[S4-04] where a proxy holds streams back, long-polling carries within 12 s', async () => {
    const { openHttp, http, server, clock, kinds } = makeHttpWorld()
    http.buffering = true
    server.append('s', said('a'))
    const client = openHttp('auto')
    const session = client.session('s')
    session.attach()
    await clock.advance(12_000)
    expect(kinds).toEqual(['websocket', 'websocket', 'sse', 'long-poll'])
    expect(client.state).toBe('live')
    expect(session.messages.map((message) => message.id)).toEqual(['a'])
  })

  test('without a network nothing is fallen to for good', async () => {
    const { openHttp, http, clock, kinds } = makeHttpWorld()
    http.away = true
    openHttp('auto').session('s').attach()
    await clock.advance(120_000)
    expect(new Set(kinds)).toEqual(new Set(['websocket', 'sse']))
  })
})

describe('reading a stream of server-sent events', () => {
  test('however it is cut, the same messages come out', () => {
    const text =
      'event: a\ndata: 1\n\n: comment\r\ndata:2\r\ndata: 3\r\n\r\nid: 7\n\ndata:\n\ndata: cut'
    const whole = new SseLines().push(text)
    expect(whole).toEqual(['1', '2\n3', ''])
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        const lines = new SseLines()
        const at = [0, ...cuts.sort((a, b) => a - b), text.length]
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end))
        expect(pieces.flatMap((piece) => lines.push(piece))).toEqual(whole)
      }),
    )
  })

  test('a message without an end is given up, not kept', () => {
    const lines = new SseLines()
    const half = 'x'.repeat(9_000_000)
    lines.push(`data: ${half}`)
    expect(() => lines.push(half)).toThrow('too long')
  })
})
