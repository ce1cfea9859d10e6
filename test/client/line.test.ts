import { describe, expect, test } from 'vitest'
import type { WireEvent } from '../../src/protocol/event.ts'
import { formatPosition } from '../../src/protocol/position.ts'
import { settle } from './support/fake-clock.ts'
import { makeWorld } from './support/setup.ts'

const said = (id: string, text = id) => ({
  type: 'message.completed',
  data: { message: id, role: 'user', parts: [{ type: 'text', text }] },
})
const x = (n = 0) => ({ type: 'x.note', data: { n } })

describe('attaching', () => {
  test('[P-4.2] the first attach brings a snapshot, and then what follows', async () => {
    const { server, open } = makeWorld()
    server.append('s', said('a'), said('b'))
    const session = open().session('s')
    session.attach()
    await settle()
    expect(session.state).toBe('live')
    expect(session.messages.map((message) => message.id)).toEqual(['a', 'b'])
    server.append('s', said('c'))
    expect(session.messages.map((message) => message.id)).toEqual(['a', 'b', 'c'])
    expect(session.position).toBe(formatPosition(server.log('s').head))
  })

  test('nothing is opened before a session is used; one connection serves all of them (R19)', async () => {
    const { server, open } = makeWorld()
    const one = open()
    const session = one.session('s')
    await settle()
    expect(one.state).toBe('idle')
    expect(server.connections).toHaveLength(0)
    session.attach()
    one.session('t').attach()
    await settle()
    expect(one.state).toBe('live')
    expect(server.connections).toHaveLength(1)
    expect(one.session('s')).toBe(session)
  })

  test('[P-4.2] after a loss the client attaches from its position, and has each event once', async () => {
    const { server, open, clock } = makeWorld()
    const session = open().session('s')
    const serials: number[] = []
    session.on('event', (event) => serials.push(event.serial))
    await settle()
    server.append('s', x(), x())
    server.last.cut()
    server.append('s', x(), x())
    await clock.advance(250)
    server.append('s', x())
    expect(serials).toEqual([1, 2, 3, 4, 5])
    expect(server.received.filter((frame) => frame.op === 'attach').at(-1)).toHaveProperty(
      'position',
    )
  })

  test('[P-4.2] a long absence brings the changed messages alone, and `catchup: events` every event', async () => {
    const { server, open, clock } = makeWorld()
    const one = open()
    const folded = one.session('s')
    const every = one.session('t', { catchup: 'events' })
    const seen: WireEvent[] = []
    every.on('event', (event) => seen.push(event))
    folded.attach()
    for (const id of ['s', 't']) server.append(id, said('old'), said('changed'))
    await settle()
    server.last.cut()
    for (const id of ['s', 't']) {
      server.append(id, ...Array.from({ length: 30 }, () => x()), said('new'))
      server.append(id, { type: 'message.deleted', data: { message: 'changed' } })
    }
    await clock.advance(250)
    for (const [session, id] of [
      [folded, 's'],
      [every, 't'],
    ] as const) {
      expect([...session.view.messages.values()]).toEqual([
        ...server.log(id).view.messages.values(),
      ])
      expect(session.position).toBe(formatPosition(server.log(id).head))
    }
    expect(seen.map((event) => event.serial).slice(-32)).toEqual(
      Array.from({ length: 32 }, (_, index) => index + 3),
    )
  })

  test('an attach that is refused fails the session, and `attach()` tries again', async () => {
    const { server, open } = makeWorld()
    server.refusals.set('attach', { code: 'session_not_found', retryable: false })
    const session = open().session('s')
    const errors: string[] = []
    session.on('error', (error) => errors.push(error.code))
    await settle()
    expect(session.state).toBe('failed')
    expect(errors).toEqual(['session_not_found'])
    session.attach()
    await settle()
    expect(session.state).toBe('live')
  })

  test('[P-4.9] detaching ends the reading, keeps the view, and coming back is a resume', async () => {
    const { server, open } = makeWorld()
    const session = open().session('s')
    session.attach()
    server.append('s', said('a'))
    await settle()
    session.detach()
    server.append('s', said('b'))
    await settle()
    expect(session.state).toBe('detached')
    expect(session.messages.map((message) => message.id)).toEqual(['a'])
    session.attach()
    await settle()
    expect(server.received.at(-1)).toMatchObject({ op: 'attach', position: expect.any(String) })
    expect(session.messages.map((message) => message.id)).toEqual(['a', 'b'])
  })
})

describe('the rule of the line', () => {
  const ready = async () => {
    const world = makeWorld()
    const session = world.open().session('s')
    const serials: number[] = []
    session.on('event', (event) => serials.push(event.serial))
    await settle()
    world.server.append('s', x())
    world.server.auto = false
    return { ...world, session, serials }
  }

  test('[P-4.3] an event that does not follow is not taken; the client attaches again from its position (S0-19)', async () => {
    const { server, serials } = await ready()
    server.append('s', x())
    server.append('s', x())
    server.last.queue.shift()
    server.auto = true
    server.last.deliver()
    await settle()
    expect(serials).toEqual([1, 2, 3])
    expect(server.received.filter((frame) => frame.op === 'attach')).toHaveLength(2)
  })

  test('[P-4.3] events at or below the position are ignored', async () => {
    const { server, serials } = await ready()
    server.append('s', x())
    server.last.queue.push(...server.last.queue)
    server.last.deliver()
    expect(serials).toEqual([1, 2])
    expect(server.received.filter((frame) => frame.op === 'attach')).toHaveLength(1)
  })

  test('[P-4.3] the next serial with another predecessor is a break, not an event', async () => {
    const { server, serials, session } = await ready()
    const resets: string[] = []
    session.on('reset', (reset) => resets.push(reset.reason))
    server.log('s').fork(1, 0)
    const [event] = server.log('s').append([x()], 'agent', 0)
    server.auto = true
    server.last.say({ type: 'events', session: 's', events: [event] as never })
    await settle()
    expect(serials).toEqual([1])
    expect(resets).toEqual(['fork'])
    expect(session.position).toBe(formatPosition(server.log('s').head))
  })

  test('attaches that bring nothing come with growing pauses', async () => {
    const { server, clock } = await ready()
    server.append('s', x())
    server.append('s', x())
    const [, second] = server.last.queue
    server.last.queue = []
    server.auto = true
    const attaches = () => server.received.filter((frame) => frame.op === 'attach').length
    server.refusals.set('attach', { code: 'store_unavailable', retryable: true })
    server.last.say(second as never)
    await settle()
    expect(attaches()).toBe(2)
    server.refusals.set('attach', { code: 'store_unavailable', retryable: true })
    await clock.advance(250)
    expect(attaches()).toBe(3)
    await clock.advance(250)
    expect(attaches()).toBe(3)
    await clock.advance(250)
    expect(attaches()).toBe(4)
  })

  test('[P-8.1] an attach that is refused for its rate is not made again before the server wants it', async () => {
    const { server, open, clock } = makeWorld()
    const attaches = () => server.received.filter((frame) => frame.op === 'attach').length
    const limited = { code: 'rate_limited', retryable: true, retryAfterMs: 9000 }
    server.refusals.set('attach', limited)
    const session = open().session('s')
    session.attach()
    await clock.advance(8900)
    expect(attaches()).toBe(1)
    await clock.advance(200)
    expect(attaches()).toBe(2)
    expect(session.state).toBe('live')
    server.last.say({ type: 'error', ref: null, session: 's', message: 'slower', ...limited })
    await clock.advance(8900)
    expect(attaches()).toBe(2)
    await clock.advance(200)
    expect(attaches()).toBe(3)
  })
})

describe('what cannot be given', () => {
  test.each([
    ['trimmed', (log) => log.trim(5)],
    ['fork', (log) => log.fork(3, 0)],
    ['ahead', (log) => log.lose(2)],
    ['epoch', (log) => log.recreate()],
  ] as const satisfies readonly (readonly [
    string,
    (log: ReturnType<ReturnType<typeof makeWorld>['server']['log']>) => void,
  ])[])('[P-4.4] %s: the view is replaced, and the application told', async (reason, accident) => {
    const { server, open, clock } = makeWorld()
    const session = open().session('s')
    const told: unknown[] = []
    session.on('reset', (reset) => told.push(reset.reason, session.position))
    await settle()
    server.append('s', said('a'), said('b'), said('c'))
    server.last.cut()
    server.append('s', said('d'), said('e'))
    accident(server.log('s'))
    if (reason === 'ahead') server.log('s').lose(1)
    await clock.advance(250)
    expect(told).toEqual([reason, formatPosition(server.log('s').head)])
    expect([...session.view.messages.values()]).toEqual([...server.log('s').view.messages.values()])
  })

  test('[P-4.4] a reset may come at any time', async () => {
    const { server, open } = makeWorld()
    const session = open().session('s')
    const told: string[] = []
    session.on('reset', (reset) => told.push(reset.reason))
    await settle()
    server.append('s', said('a'), said('b'))
    server.log('s').recreate()
    server.append('s', said('z'))
    expect(told).toEqual(['epoch'])
    expect(session.messages.map((message) => message.id)).toEqual(['z'])
  })
})

describe('snapshots in pieces', () => {
  test('[P-4.5] the view is put in place with the last piece, and not before', async () => {
    const { server, open, clock } = makeWorld()
    const session = open().session('s')
    session.attach()
    await settle()
    server.append('s', said('old'))
    server.last.cut()
    server.append('s', ...Array.from({ length: 25 }, (_, n) => said(`m${n}`)))
    server.log('s').recreate()
    server.append('s', said('a'), said('b'), said('c'), said('d'), said('e'))
    server.auto = false
    await clock.advance(250)
    const connection = server.last
    while (connection.queue[0]?.type !== 'snapshot') connection.deliver(1)
    expect(connection.queue).toHaveLength(3)
    connection.deliver(2)
    await settle()
    expect(session.messages.map((message) => message.id)).toEqual(['old'])
    connection.deliver(1)
    expect(session.messages.map((message) => message.id)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('[P-4.5] a loss between two pieces starts over, and nothing of the half is kept', async () => {
    const { server, open, clock } = makeWorld()
    server.append('s', said('a'), said('b'), said('c'))
    server.auto = false
    const session = open().session('s')
    session.attach()
    await settle()
    server.last.deliver(2)
    await settle()
    server.last.deliver(2)
    server.last.cut()
    expect(session.messages).toEqual([])
    server.append('s', { type: 'message.deleted', data: { message: 'a' } })
    server.auto = true
    await clock.advance(250)
    expect([...session.view.messages.values()]).toEqual([...server.log('s').view.messages.values()])
  })

  test('[P-4.5] a snapshot that is told twice, or late, changes nothing', async () => {
    const { server, open, clock } = makeWorld()
    server.append('s', said('a'), said('b'), said('c'))
    server.auto = false
    const session = open().session('s')
    session.attach()
    await settle()
    server.last.deliver(1)
    const frames = [...server.last.queue]
    server.last.deliver()
    server.auto = true
    const last = frames.at(-1)
    expect(last).toMatchObject({ type: 'snapshot', last: true })
    server.last.say(last as never)
    expect(session.messages).toHaveLength(3)
    server.append('s', said('d'))
    server.last.say(last as never)
    await clock.advance(5000)
    expect([...session.view.messages.values()]).toEqual([...server.log('s').view.messages.values()])
  })

  test('[P-4.5] pieces with `since` are merged by id, and the rest replaced', async () => {
    const { server, open, clock } = makeWorld()
    const session = open().session('s')
    session.attach()
    const member = { member: 'm', subject: 'bob', kind: 'human', connected: true, visible: true }
    server.append('s', said('a'), said('b'), { type: 'member.entered', data: member })
    await settle()
    expect(session.members).toHaveLength(1)
    server.last.cut()
    server.append('s', ...Array.from({ length: 25 }, () => x()))
    server.append('s', { type: 'message.replaced', data: { message: 'a', parts: [] } })
    server.append('s', { type: 'member.left', data: { member: 'm', reason: 'expired' } })
    await clock.advance(250)
    expect(session.members).toEqual([])
    expect([...session.view.messages.values()]).toEqual([...server.log('s').view.messages.values()])
    expect(session.view.tip).toBe(server.log('s').view.tip)
  })
})

describe('heads in heartbeats', () => {
  test('[P-4.10] a head that differs, and 2 s of nothing, attach again', async () => {
    const { server, open, clock } = makeWorld()
    const session = open().session('s')
    session.attach()
    await settle()
    server.auto = false
    server.append('s', said('lost'))
    server.last.queue = []
    server.auto = true
    server.heartbeat()
    await clock.advance(1999)
    expect(session.messages).toEqual([])
    await clock.advance(501)
    expect(session.messages.map((message) => message.id)).toEqual(['lost'])
  })

  test('[P-4.10] a head whose events come within 2 s attaches nothing', async () => {
    const { server, open, clock } = makeWorld()
    open().session('s').attach()
    await settle()
    server.auto = false
    server.append('s', said('late'))
    const late = server.last.queue.splice(0)
    server.auto = true
    server.heartbeat()
    await clock.advance(1000)
    for (const frame of late) server.last.say(frame)
    await clock.advance(5000)
    expect(server.received.filter((frame) => frame.op === 'attach')).toHaveLength(1)
  })
})
