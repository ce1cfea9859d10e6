import { describe, expect, test } from 'vitest'
import { settle } from './support/fake-clock.ts'
import { makeWorld, type WorldOptions } from './support/setup.ts'

const x = () => ({ type: 'x.note', data: {} })

async function live(options: WorldOptions = {}) {
  const world = makeWorld()
  const client = world.open(options)
  const states: string[] = []
  const errors: string[] = []
  client.on('state', (state) => states.push(state))
  client.on('error', (error) => errors.push(error.code))
  const session = client.session('s')
  session.attach()
  await settle()
  return { ...world, client, session, states, errors }
}

describe('reconnecting', () => {
  test('the first attempt comes within 250 ms; then full jitter, doubling from 500 ms to 15 s', async () => {
    const { server, clock } = await live({ random: () => 0.999 })
    server.welcomes = false
    await clock.advance(10_000)
    const opened: number[] = []
    const start = clock.now()
    server.last.cut()
    while (opened.length < 8) {
      const before = server.connections.length
      await clock.advance(1)
      if (server.connections.length === before) continue
      opened.push(clock.now())
      server.last.cut(1012)
    }
    const waits = opened.map((at, index) => at - (opened[index - 1] ?? start))
    expect(waits).toEqual([249, 499, 999, 1998, 3996, 7992, 14_985, 14_985])
  })

  test('10 s of a stable connection reset the backoff', async () => {
    const { server, clock } = await live()
    for (let i = 0; i < 5; i++) {
      server.last.cut()
      await clock.advance(15_000)
    }
    const before = server.connections.length
    server.last.cut()
    await clock.advance(125)
    expect(server.connections).toHaveLength(before + 1)
  })

  test('a connection that lives for less than 10 s does not', async () => {
    const { server, clock } = await live()
    for (let i = 0; i < 4; i++) {
      server.last.cut()
      for (let ms = 0; ms < 15_000 && server.last.ended; ms++) await clock.advance(1)
    }
    const before = server.connections.length
    server.last.cut()
    await clock.advance(1999)
    expect(server.connections).toHaveLength(before)
    await clock.advance(1)
    expect(server.connections).toHaveLength(before + 1)
  })

  test('what the server asks to wait is waited', async () => {
    const { server, clock } = await live()
    server.last.say({
      type: 'error',
      ref: null,
      code: 'connection_limit',
      message: 'full',
      retryable: true,
      retryAfterMs: 20_000,
    })
    server.last.cut(4509)
    await clock.advance(19_999)
    expect(server.connections).toHaveLength(1)
    await clock.advance(1)
    expect(server.connections).toHaveLength(2)
  })

  test.each([1001, 1006, 1011, 1012, 1013, 4408, 4429, 4500, 4508, 4509])(
    '[P-7.1] %i: connects again and resumes',
    async (code) => {
      const { server, clock, client } = await live()
      server.last.cut(code)
      await clock.advance(15_000)
      expect(server.connections.length).toBeGreaterThan(1)
      expect(client.state).toBe('live')
    },
  )

  test.each([1000, 1002, 1003, 1007, 1008, 1009, 4400, 4403, 4404, 4413])(
    '[P-7.1] %i: stops, and says so',
    async (code) => {
      const { server, clock, client, errors } = await live()
      server.last.cut(code)
      await clock.advance(60_000)
      expect(server.connections).toHaveLength(1)
      expect(client.state).toBe('closed')
      expect(errors).toHaveLength(1)
      client.connect()
      await settle()
      expect(client.state).toBe('live')
    },
  )
})

describe('states', () => {
  test('a recovery is hidden for 2 s, and told after that', async () => {
    const { server, clock, states } = await live()
    expect(states).toEqual(['connecting', 'live'])
    server.last.cut()
    await clock.advance(1000)
    expect(states).toEqual(['connecting', 'live'])
    server.welcomes = false
    server.last.cut()
    await clock.advance(1999)
    expect(states).toEqual(['connecting', 'live'])
    await clock.advance(1)
    expect(states).toEqual(['connecting', 'live', 'recovering'])
    server.welcomes = true
    await clock.advance(20_000)
    expect(states).toEqual(['connecting', 'live', 'recovering', 'live'])
  })

  test('with the last session gone, the connection rests after 5 s', async () => {
    const { server, clock, client, session } = await live()
    session.detach()
    await clock.advance(4999)
    expect(server.last.ended).toBe(false)
    await clock.advance(1)
    expect(server.last.ended).toBe(true)
    expect(client.state).toBe('idle')
    session.attach()
    await settle()
    expect(client.state).toBe('live')
  })

  test('[R24] after close() no timer, listener or connection is left', async () => {
    const { server, clock, client, page, session } = await live({ token: () => 'token' })
    session.on('change', () => {})
    const events = session.events()
    const next = events.next()
    server.auto = false
    void session.presence({ status: 'here' })
    void session.read(1)
    void session.publish(x()).catch(() => {})
    server.last.say({ type: 'goaway', reason: 'restart', afterMs: 1000 })
    server.last.deliver(1)
    await settle()
    client.close()
    client.close()
    expect(clock.pending).toBe(0)
    expect(page.listeners).toBe(0)
    expect(server.openConnections).toEqual([])
    expect(client.state).toBe('closed')
    expect(await next).toEqual({ done: true, value: undefined })
    expect(() => session.attach()).toThrow('closed')
    await clock.advance(60_000)
    expect(server.connections).toHaveLength(1)
  })

  test('[R24] a thousand attaches and detaches leave as many timers as one', async () => {
    const { clock, client, session, server } = await live()
    const churn = async (times: number): Promise<number> => {
      for (let i = 0; i < times; i++) {
        const other = client.session(`other-${i}`)
        other.on('change', () => {})()
        other.attach()
        await settle()
        other.detach()
      }
      await clock.advance(12_000)
      server.heartbeat()
      return clock.pending
    }
    session.attach()
    const few = await churn(1)
    expect(await churn(1000)).toBe(few)
  })
})

describe('the watchdog', () => {
  test('[P-4.10] [R15] 35 s of silence end a connection, whatever the socket says', async () => {
    const { server, clock } = await live()
    await clock.advance(34_999)
    expect(server.connections).toHaveLength(1)
    await clock.advance(1)
    expect(server.last.ended).toBe(true)
    await clock.advance(250)
    expect(server.connections).toHaveLength(2)
  })

  test('[P-4.10] heartbeats keep it', async () => {
    const { server, clock } = await live()
    for (let i = 0; i < 20; i++) {
      await clock.advance(15_000)
      server.heartbeat()
    }
    expect(server.connections).toHaveLength(1)
  })

  test('[P-4.10] a clock that is set back meanwhile keeps no connection that is silent', async () => {
    const { server, clock } = await live()
    await clock.advance(10_000)
    clock.set(-3_600_000)
    await clock.advance(60_000)
    expect(server.connections).toHaveLength(2)
    expect(server.connections[0]?.ended).toBe(true)
  })

  test('a connection that is never welcomed is given up after 10 s', async () => {
    const world = makeWorld()
    world.server.welcomes = false
    world.open().session('s').attach()
    await world.clock.advance(10_000)
    expect(world.server.connections[0]?.ended).toBe(true)
  })
})

describe('waking', () => {
  test('[R15] visible after 30 s or more: a new connection at once', async () => {
    const { server, clock, page } = await live()
    page.tell('hidden')
    for (let i = 0; i < 2; i++) {
      await clock.advance(15_000)
      server.heartbeat()
    }
    page.tell('visible')
    await settle()
    expect(server.connections).toHaveLength(2)
    expect(server.openConnections).toHaveLength(1)
  })

  test.each(['visible', 'wake', 'online'] as const)(
    '[R15] %s after less: a ping, and nothing more when it is answered',
    async (event) => {
      const { server, clock, page } = await live()
      page.tell('hidden')
      await clock.advance(5000)
      page.tell(event)
      await clock.advance(2000)
      expect(server.received.at(-1)).toMatchObject({ op: 'ping' })
      expect(server.connections).toHaveLength(1)
    },
  )

  test('a ping without an answer for 2 s: a new connection', async () => {
    const { server, clock, page } = await live()
    server.auto = false
    page.tell('wake')
    await clock.advance(1999)
    expect(server.connections).toHaveLength(1)
    await clock.advance(1)
    expect(server.connections).toHaveLength(2)
  })

  test('waking while it waits to try again tries at once', async () => {
    const { server, clock, page } = await live()
    server.welcomes = false
    for (let i = 0; i < 6; i++) {
      server.last.cut(1012)
      await clock.advance(8000)
    }
    server.last.cut(1012)
    const before = server.connections.length
    server.welcomes = true
    page.tell('online')
    await settle()
    expect(server.connections).toHaveLength(before + 1)
  })

  test('hidden for more than 5 minutes, nothing is tried until somebody looks', async () => {
    const { server, clock, page, client } = await live()
    page.tell('hidden')
    for (let i = 0; i < 21; i++) {
      await clock.advance(15_000)
      server.heartbeat()
    }
    server.last.cut()
    await clock.advance(3_600_000)
    expect(server.connections).toHaveLength(1)
    page.tell('visible')
    await settle()
    expect(server.connections).toHaveLength(2)
    expect(client.state).toBe('live')
  })

  test('offline is told at once; a connection that answers anyway is kept', async () => {
    const { server, clock, page, client, states } = await live()
    page.tell('offline')
    expect(states.at(-1)).toBe('live')
    server.auto = false
    page.tell('offline')
    expect(client.state).toBe('offline')
    await clock.advance(2000)
    server.auto = true
    expect(client.state).toBe('offline')
    page.tell('online')
    await settle()
    expect(client.state).toBe('live')
  })

  test('what is heard just before a line breaks does not pass for an answer', async () => {
    const { server, clock, page, client } = await live()
    server.auto = false
    page.tell('offline')
    server.last.queue = []
    await clock.advance(500)
    server.heartbeat()
    server.last.deliver()
    await clock.advance(1600)
    expect(client.state).toBe('offline')
    expect(server.connections).toHaveLength(1)
    await clock.advance(2000)
    expect(server.connections).toHaveLength(2)
  })
})

describe('credentials', () => {
  test('[P-6.4] [R18] 4401: one new token, and the session resumes without loss', async () => {
    const tokens: string[] = []
    const token = () => {
      tokens.push(`t${tokens.length}`)
      return `t${tokens.length - 1}`
    }
    const { server, session, clock, client } = await live({ token })
    const serials: number[] = []
    session.on('event', (event) => serials.push(event.serial))
    server.append('s', x())
    server.last.cut(4401)
    server.append('s', x())
    await settle()
    server.append('s', x())
    expect(serials).toEqual([1, 2, 3])
    expect(server.secrets.map((secrets) => secrets.token)).toEqual(['t0', 't1'])
    await clock.advance(1)
    expect(client.state).toBe('live')
  })

  test('[P-6.4] [R18] a second refusal: unauthorized, until connect()', async () => {
    const { server, clock, client } = await live({ token: () => 'old' })
    server.subject = null
    server.last.cut(4401)
    await clock.advance(60_000)
    expect(server.connections).toHaveLength(2)
    expect(client.state).toBe('unauthorized')
    server.subject = 'ada'
    client.connect()
    await settle()
    expect(client.state).toBe('live')
  })

  test('a token that is a text cannot be got again', async () => {
    const { server, client, clock } = await live({ token: 'fixed' })
    server.last.cut(4401)
    await clock.advance(60_000)
    expect(server.connections).toHaveLength(1)
    expect(client.state).toBe('unauthorized')
  })

  test('[P-6.4] [R18] a token that is about to end is renewed over the open connection', async () => {
    let count = 0
    const { server, clock } = await live({ token: () => `t${count++}` })
    server.last.say({ type: 'expiring', expiresAt: clock.now() + 60_000 })
    await settle()
    expect(server.received.at(-1)).toMatchObject({ op: 'auth', token: 't1' })
    expect(server.connections).toHaveLength(1)
  })

  test('a token that comes after the client was closed opens nothing', async () => {
    const world = makeWorld()
    let give = (_token: string): void => {}
    const token = () => new Promise<string>((resolve) => (give = resolve))
    const client = world.open({ token })
    client.session('s').attach()
    await settle()
    client.close()
    give('late')
    await settle()
    expect(world.server.connections).toHaveLength(0)
    expect(world.clock.pending).toBe(0)
  })

  test('a callback that throws is told and tried again; one that never answers is given up after 20 s', async () => {
    const world = makeWorld()
    let calls = 0
    const token = () => {
      calls += 1
      if (calls === 1) throw new Error('no')
      return calls === 2 ? new Promise<string>(() => {}) : 'token'
    }
    const client = world.open({ token })
    const errors: string[] = []
    client.on('error', (error) => errors.push(error.code))
    client.session('s').attach()
    await world.clock.advance(21_000)
    expect(client.state).toBe('live')
    expect(errors).toEqual(['unauthenticated', 'unauthenticated'])
  })
})

describe('goaway', () => {
  test('[P-4.12] a new connection opens after `afterMs`, resumes, and then the old one is dropped', async () => {
    const { server, clock, session, states } = await live()
    const serials: number[] = []
    session.on('event', (event) => serials.push(event.serial))
    const [old] = server.connections
    server.last.say({ type: 'goaway', reason: 'restart', afterMs: 3000 })
    await clock.advance(2999)
    expect(server.connections).toHaveLength(1)
    server.auto = false
    await clock.advance(251)
    expect(server.connections).toHaveLength(2)
    server.last.deliver(1)
    server.append('s', x())
    expect(old?.ended).toBe(false)
    old?.deliver()
    expect(serials).toEqual([1])
    server.last.deliver()
    await settle()
    server.last.deliver()
    expect(old?.ended).toBe(true)
    server.auto = true
    server.append('s', x())
    expect(serials).toEqual([1, 2])
    expect(states).toEqual(['connecting', 'live'])
  })

  test('[P-4.12] a node that goes sooner is still not followed by a crowd', async () => {
    const { server, clock } = await live()
    server.last.say({ type: 'goaway', reason: 'restart', afterMs: 3000 })
    server.last.cut(1012)
    await clock.advance(2999)
    expect(server.connections).toHaveLength(1)
    await clock.advance(1)
    expect(server.connections).toHaveLength(2)
  })
})

describe('the ladder', () => {
  test('[S4-04] a WebSocket that does not open twice gives way to SSE, and a silent stream to long-polling', async () => {
    const world = makeWorld()
    world.server.welcomes = false
    world
      .open({ random: () => 0 })
      .session('s')
      .attach()
    await settle()
    for (let i = 0; i < 2; i++) {
      world.server.last.cut()
      await world.clock.advance(1)
    }
    world.server.welcomes = true
    world.server.heartbeats = false
    world.server.last.cut()
    await world.clock.advance(1)
    expect(world.server.kinds).toEqual(['websocket', 'websocket', 'sse', 'websocket'])
    await world.clock.advance(5000)
    expect(world.server.kinds.at(-1)).toBe('sse')
    await world.clock.advance(5000)
    expect(world.server.kinds.at(-1)).toBe('long-poll')
  })

  test('[S4-04] a stream that carried and then fell silent is being held back, and gives way to long-polling; a WebSocket does not', async () => {
    const { server, clock, open } = makeWorld()
    server.heartbeats = false
    open({ random: () => 0 })
      .session('s')
      .attach()
    await clock.advance(5000)
    server.heartbeat()
    await clock.advance(35_000)
    expect(server.kinds).toEqual(['websocket', 'sse', 'long-poll'])

    const other = makeWorld()
    other
      .open({ random: () => 0 })
      .session('s')
      .attach()
    await other.clock.advance(35_000)
    expect(other.server.kinds).toEqual(['websocket', 'websocket'])
  })

  test('a transport that works is kept over reconnects, and the top tried again after 5 minutes', async () => {
    const world = makeWorld()
    const { server, clock } = world
    server.heartbeats = false
    world
      .open({ random: () => 0 })
      .session('s')
      .attach()
    await clock.advance(5000)
    server.heartbeat()
    await settle()
    server.heartbeats = true
    server.last.cut()
    await clock.advance(1000)
    expect(server.kinds).toEqual(['websocket', 'sse', 'sse'])
    for (let i = 0; i < 20; i++) {
      await clock.advance(15_000)
      server.heartbeat()
    }
    server.last.cut()
    await clock.advance(1000)
    expect(server.kinds.at(-1)).toBe('websocket')
  })

  test('a transport that was chosen is the only one', async () => {
    const world = makeWorld()
    world.server.welcomes = false
    world
      .open({ random: () => 0, transport: 'websocket' })
      .session('s')
      .attach()
    await settle()
    for (let i = 0; i < 6; i++) {
      world.server.last.cut()
      await world.clock.advance(1)
    }
    expect(new Set(world.server.kinds)).toEqual(new Set(['websocket']))
  })
})
