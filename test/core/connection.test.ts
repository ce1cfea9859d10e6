import { describe, expect, test, vi } from 'vitest'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import type { FakeSocket } from '../support/sim-socket.ts'
import { grant, SESSION, World } from './world.ts'

async function connected(world = new World(), rights = grant()) {
  const node = world.nodes[0] ?? world.node()
  if ((await world.store.heads([SESSION]))[0] === null) await world.session()
  const socket = node.connect(rights)
  await world.clock.settle()
  return { world, node, socket, clock: world.clock }
}

/** Sends a frame and waits for its one answer. */
async function ask(world: World, socket: FakeSocket, frame: Parameters<FakeSocket['ask']>[0]) {
  const ref = socket.ask(frame)
  await world.clock.settle()
  const answers = socket.answers(ref)
  expect(answers, `answers to ${frame.op}`).toHaveLength(1)
  // Just counted.
  return answers[0]!
}

const publishing = (events: readonly object[] = [{ type: 'x.a', data: 1 }]) => ({
  op: 'publish',
  session: SESSION,
  events,
})

describe('credentials', () => {
  test('a socket with a grant is welcomed at once, and a heartbeat follows [P-4.1]', async () => {
    const { socket } = await connected()
    expect(socket.frames.map((frame) => frame.type)).toEqual(['welcome', 'heartbeat'])
    expect(socket.all('welcome')[0]).toMatchObject({ subject: 'ada', expiresAt: null })
  })

  test('a socket without credentials has five seconds, and nothing is sent to it [P-6.3]', async () => {
    const world = new World()
    const socket = world.node().connect(null)
    await world.clock.advance(4999)
    expect(socket.closedWith).toBeNull()
    await world.clock.advance(1)
    expect(socket.closedWith?.code).toBe(4408)
    expect(socket.frames).toEqual([])
  })

  test('auth as the first frame is answered by the welcome with its ref [P-6.3]', async () => {
    const world = new World()
    world.authenticator.allow('good', grant())
    const socket = world.node().connect(null)
    const answer = await ask(world, socket, { op: 'auth', token: 'good' })
    expect(answer.type).toBe('welcome')
    await world.clock.advance(60_000)
    expect(socket.closedWith).toBeNull()
  })

  test('a first frame that is not good credentials is answered and ends the socket', async () => {
    const world = new World()
    const node = world.node()
    const wrong = node.connect(null)
    await ask(world, wrong, { op: 'auth', token: 'bad' })
    expect(wrong.closedWith?.code).toBe(4401)
    expect(wrong.last('error')?.code).toBe('invalid_token')

    const early = node.connect(null)
    await ask(world, early, { op: 'ping' })
    expect(early.closedWith?.code).toBe(4401)
    expect(early.last('error')?.code).toBe('unauthenticated')
  })

  test('credentials that could not be checked are no fault of the client, which comes again', async () => {
    const world = new World()
    world.authenticator.authenticate = () =>
      Promise.reject(new HeldlineError('store_unavailable', 'unable to look'))
    const socket = world.node().connect(null)
    await ask(world, socket, { op: 'auth', token: 'good' })
    expect(socket.closedWith?.code).toBe(1011)
  })

  test('expiring comes 60 s before the end, frames are refused from the end on, 4401 comes 30 s later [P-6.4]', async () => {
    const world = new World()
    const expiresAt = world.clock.now() + 200_000
    const { socket, clock } = await connected(world, grant({ expiresAt }))
    await clock.advance(139_999)
    expect(socket.all('expiring')).toEqual([])
    await clock.advance(1)
    expect(socket.all('expiring')).toEqual([{ type: 'expiring', expiresAt }])
    await clock.advance(60_000)
    expect(await ask(world, socket, { op: 'ping' })).toMatchObject({ code: 'invalid_token' })
    await clock.advance(29_999)
    expect(socket.closedWith).toBeNull()
    await clock.advance(1)
    expect(socket.closedWith?.code).toBe(4401)
  })

  test('a token that a clock set forward has ended is told of with the next look at the socket, or the next frame, not when its time would have been [P-6.4]', async () => {
    const world = new World()
    const expiresAt = world.clock.now() + 900_000
    const { socket, clock } = await connected(world, grant({ expiresAt }))
    clock.set(850_000)
    socket.connection.check()
    expect(socket.all('expiring')).toEqual([{ type: 'expiring', expiresAt }])
    await clock.advance(79_999)
    expect(socket.closedWith).toBeNull()
    await clock.advance(1)
    expect(socket.closedWith?.code).toBe(4401)

    const other = await connected(new World(), grant({ expiresAt: clock.now() + 900_000 }))
    other.clock.set(3_600_000)
    expect(await ask(other.world, other.socket, { op: 'ping' })).toMatchObject({
      code: 'invalid_token',
    })
    expect(other.socket.all('expiring')).toHaveLength(1)
    await other.clock.advance(0)
    expect(other.socket.closedWith?.code).toBe(4401)
  })

  test('tokens of 60 s are asked for twenty times in ten minutes, each when half of the one before is over [P-6.4] [R18]', async () => {
    const world = new World()
    const lasting = () => grant({ expiresAt: world.clock.now() + 60_000 })
    const { socket, clock } = await connected(world, lasting())
    for (let tokens = 1; tokens <= 20; tokens++) {
      await clock.advance(29_999)
      expect(socket.all('expiring')).toHaveLength(tokens - 1)
      await clock.advance(1)
      expect(socket.all('expiring')).toHaveLength(tokens)
      world.authenticator.allow(`t${tokens}`, lasting())
      await ask(world, socket, { op: 'auth', token: `t${tokens}` })
    }
    expect(socket.closedWith).toBeNull()
    expect(await ask(world, socket, { op: 'ping' })).toMatchObject({ type: 'pong' })
  })

  test('new credentials of the same subject go on without a gap, even within the grace [P-6.4]', async () => {
    const world = new World()
    const expiresAt = world.clock.now() + 70_000
    const { socket, clock, node } = await connected(world, grant({ expiresAt }))
    await ask(world, socket, { op: 'attach', session: SESSION })
    await clock.advance(80_000)
    world.authenticator.allow('next', grant({ expiresAt: clock.now() + 1_000_000 }))
    await ask(world, socket, { op: 'auth', token: 'next' })
    await clock.advance(100_000)
    expect(socket.closedWith).toBeNull()
    await node.sessions.append({ session: SESSION, drafts: [], by: { subject: 'x' } })
    expect(await ask(world, socket, publishing())).toMatchObject({ type: 'ack' })
    expect(socket.serials(SESSION)).toEqual([2])
  })

  test('new credentials of another subject are refused, and the old ones stay', async () => {
    const { world, socket } = await connected()
    world.authenticator.allow('other', grant({ subject: 'bob' }))
    expect(await ask(world, socket, { op: 'auth', token: 'other' })).toMatchObject({
      code: 'invalid_token',
    })
    expect(await ask(world, socket, { op: 'ping' })).toMatchObject({ type: 'pong' })
  })

  test('what new credentials do not allow ends: the attachment is told, the member leaves [invariant 8]', async () => {
    const { world, socket } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION, presence: { member: 'tab' } })
    world.authenticator.allow('less', grant({ sessions: ['elsewhere'] }))
    await ask(world, socket, { op: 'auth', token: 'less' })
    expect(socket.last('error')).toMatchObject({ ref: null, session: SESSION })
    expect(await world.types()).toEqual(['session.created', 'member.entered', 'member.left'])
    const before = socket.frames.length
    await world.nodes[0]!.sessions.append({
      session: SESSION,
      drafts: [],
      by: { subject: 'x' },
    })
    expect(socket.frames).toHaveLength(before)
  })
})

describe('mistakes and rates', () => {
  test.each([
    ['invalid_json', 'not json'],
    ['invalid_request', '[]'],
    ['invalid_request', 'null'],
    ['unknown_op', '{"op":"dance","ref":"1"}'],
    ['unknown_op', '{"op":"constructor","ref":"1"}'],
    ['invalid_ref', '{"op":"ping"}'],
    ['invalid_ref', '{"op":"ping","ref":{}}'],
    ['invalid_ref', `{"op":"ping","ref":"${'r'.repeat(65)}"}`],
    ['unknown_field', '{"op":"ping","ref":"1","more":1}'],
    ['duplicate_key', '{"op":"ping","ref":"1","ref":"2"}'],
    ['forbidden_key', '{"op":"ping","ref":"1","__proto__":{}}'],
    ['invalid_request', '{"op":"attach","ref":"1","session":7}'],
    ['too_deep', `{"op":"ping","ref":"1","x":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['payload_too_large', `{"op":"ping","ref":"1","x":"${'y'.repeat(200_000)}"}`],
  ])('a frame that is %s is answered, and the socket stays [P-8.2]', async (code, text) => {
    const { world, socket } = await connected()
    socket.receive(text)
    await world.clock.settle()
    expect(socket.last('error')?.code).toBe(code)
    expect(socket.closedWith).toBeNull()
  })

  test('the ref of a frame that is refused comes back wherever it could be read', async () => {
    const { world, socket } = await connected()
    socket.receive('{"op":"dance","ref":"mine"}')
    await world.clock.settle()
    expect(socket.last('error')?.ref).toBe('mine')
  })

  test('the twentieth mistake within a minute closes with 4429, mistakes that are older do not count [P-8.2]', async () => {
    const { world, socket, clock } = await connected()
    for (let i = 0; i < 19; i++) socket.receive('{}')
    await clock.settle()
    await clock.advance(60_001)
    for (let i = 0; i < 19; i++) socket.receive('{}')
    await clock.settle()
    expect(socket.closedWith).toBeNull()
    socket.receive('{}')
    await clock.settle()
    expect(socket.closedWith?.code).toBe(4429)
    expect(world.nodes[0]!.sockets.size).toBe(0)
  })

  test('what is our fault is not counted as a mistake', async () => {
    const world = new World()
    const { socket, clock } = await connected(world)
    world.store.heads = () => Promise.reject(new Error('a bug'))
    for (let i = 0; i < 40; i++) socket.ask({ op: 'attach', session: SESSION })
    await clock.settle()
    expect(socket.last('error')).toMatchObject({ code: 'internal' })
    expect(JSON.stringify(socket.last('error'))).not.toContain('a bug')
    expect(socket.closedWith).toBeNull()
  })

  test('who is too fast is told when to go on, with the ref, and loses nothing else', async () => {
    const { world, socket, clock } = await connected(
      new World({ framesPerSecond: 10, framesBurst: 10 }),
    )
    const refs = Array.from({ length: 15 }, () => socket.ask({ op: 'ping' }))
    await clock.settle()
    const answers = refs.map((ref) => socket.answers(ref)[0]?.type)
    expect(answers.slice(0, 10)).toEqual(Array(10).fill('pong'))
    expect(answers.slice(10)).toEqual(Array(5).fill('error'))
    const retryAfterMs = Number(socket.last('error')?.retryAfterMs)
    await clock.advance(retryAfterMs)
    expect(await ask(world, socket, { op: 'ping' })).toMatchObject({ type: 'pong' })
  })

  test('who goes on a little too fast is given its rate all the while, and is not closed [P-8.2]', async () => {
    const { socket, clock } = await connected(new World({ framesPerSecond: 10, framesBurst: 10 }))
    const refs: string[] = []
    for (let i = 0; i < 600; i++) {
      refs.push(socket.ask({ op: 'ping' }))
      await clock.advance(80)
    }
    const last = refs.slice(-125).map((ref) => socket.answers(ref)[0]?.type)
    expect(last.filter((type) => type === 'pong')).toHaveLength(100)
    expect(socket.closedWith).toBeNull()
  })

  test('who goes on at ten times the rate is closed with 4429', async () => {
    const { socket, clock } = await connected(new World({ framesPerSecond: 10, framesBurst: 10 }))
    for (let i = 0; i < 150; i++) socket.ask({ op: 'ping' })
    await clock.settle()
    expect(socket.closedWith?.code).toBe(4429)
  })
})

describe('every refusal of an op', () => {
  const nowhere = { session: 'nowhere' }
  test.each([
    [{ op: 'attach', ...nowhere }, 'session_not_found'],
    [{ op: 'attach', session: '../b' }, 'invalid_session_id'],
    [{ op: 'attach', session: SESSION, position: 'junk' }, 'invalid_position'],
    [{ op: 'publish', ...nowhere, events: [{ type: 'x.a' }] }, 'session_not_found'],
    [publishing([{ type: 'run.started', data: {} }]), 'reserved_type'],
    [publishing([{ type: 'nonsense' }]), 'unknown_type'],
    [publishing([{ type: 'message.delta', data: {} }]), 'invalid_request'],
    [publishing([]), 'invalid_request'],
    [{ op: 'signal', session: SESSION, name: 'typing' }, 'not_attached'],
    [{ op: 'presence', session: SESSION, presence: {} }, 'not_attached'],
    [{ op: 'read', ...nowhere, serial: 1 }, 'session_not_found'],
    [{ op: 'read', session: SESSION, serial: -1 }, 'invalid_request'],
    [{ op: 'auth', token: 'bad' }, 'invalid_token'],
  ])('%j is %s', async (frame, code) => {
    const { world, socket } = await connected()
    expect(await ask(world, socket, frame)).toMatchObject({ type: 'error', code })
    expect(socket.closedWith).toBeNull()
    expect(await world.types()).toEqual(['session.created'])
  })

  test.each([
    ['subscribe', { op: 'attach', session: SESSION }],
    ['subscribe', { op: 'read', session: SESSION, serial: 1 }],
    ['publish', publishing()],
  ])(
    'without %s, %j is forbidden, and not found where there is no right on the name [P-6.2]',
    async (_, frame) => {
      const { world, socket } = await connected(new World(), grant({ capabilities: new Set() }))
      expect(await ask(world, socket, frame)).toMatchObject({ code: 'forbidden' })
      const stranger = (await connected(world, grant({ sessions: ['other-*'] }))).socket
      expect(await ask(world, stranger, frame)).toMatchObject({ code: 'session_not_found' })
    },
  )

  test('signal and presence need their own capabilities', async () => {
    const rights = grant({ capabilities: new Set(['subscribe']) })
    const { world, socket } = await connected(new World(), rights)
    await ask(world, socket, { op: 'attach', session: SESSION })
    const signal = { op: 'signal', session: SESSION, name: 'typing' }
    expect(await ask(world, socket, signal)).toMatchObject({ code: 'forbidden' })
    const presence = { op: 'presence', session: SESSION, presence: {} }
    expect(await ask(world, socket, presence)).toMatchObject({ code: 'forbidden' })
  })

  test('a socket is attached to a bounded number of sessions; detaching makes room', async () => {
    const world = new World({ maxSessionsPerSocket: 2 })
    const { socket } = await connected(world)
    for (const name of ['a', 'b', 'c']) await world.session(undefined, name as SessionId)
    await ask(world, socket, { op: 'attach', session: 'a' })
    await ask(world, socket, { op: 'attach', session: 'b' })
    const third = { op: 'attach', session: 'c' }
    expect(await ask(world, socket, third)).toMatchObject({ code: 'subscription_limit' })
    await ask(world, socket, { op: 'attach', session: 'a' })
    await ask(world, socket, { op: 'detach', session: 'b' })
    expect(await ask(world, socket, third)).toMatchObject({ type: 'attached' })
  })
})

describe('attaching', () => {
  test('without a position: attached, a snapshot, then what follows [P-4.2]', async () => {
    const { world, socket } = await connected()
    const answer = await ask(world, socket, { op: 'attach', session: SESSION })
    expect(answer).toMatchObject({ type: 'attached', mode: 'snapshot' })
    await ask(world, socket, publishing())
    const types = socket.frames.map((frame) => frame.type)
    expect(types.slice(2)).toEqual(['attached', 'snapshot', 'ack', 'events'])
    expect(socket.serials(SESSION)).toEqual([2])
  })

  test('with a position: attached, then the events that follow it [P-4.2]', async () => {
    const { world, socket, node } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION })
    const position = socket.last('snapshot')?.position
    await ask(world, socket, publishing([{ type: 'x.a' }, { type: 'x.b' }]))
    const other = node.connect(grant())
    await ask(world, other, { op: 'attach', session: SESSION, position })
    expect(other.last('attached')?.mode).toBe('resumed')
    expect(other.serials(SESSION)).toEqual([2, 3])
    expect(other.all('snapshot')).toEqual([])
  })

  test('a position that cannot be given is answered by a reset that says why, and a snapshot [P-4.4]', async () => {
    const { world, socket } = await connected()
    const epoch = (await world.store.heads([SESSION]))[0]!.epoch
    const reasons = {
      [`${epoch}.9.AAAAAAAA`]: 'ahead',
      [`${epoch}.1.AAAAAAAA`]: 'fork',
      'AAAAAAAAAA.1.AAAAAAAA': 'epoch',
    }
    for (const [position, reason] of Object.entries(reasons)) {
      await ask(world, socket, { op: 'attach', session: SESSION, position })
      const [attached, reset, snapshot] = socket.frames.slice(-3)
      expect([attached?.type, snapshot?.type]).toEqual(['attached', 'snapshot'])
      expect(reset).toMatchObject({ type: 'reset', reason, position, floor: 0 })
    }
  })

  test('where more was missed than folding is worth, a snapshot since the position comes instead; events when asked [P-4.2]', async () => {
    const { world, socket } = await connected(new World({ foldAfterEvents: 10 }))
    await ask(world, socket, { op: 'attach', session: SESSION })
    const position = socket.last('snapshot')?.position
    for (let i = 0; i < 12; i++) await ask(world, socket, publishing())
    await ask(world, socket, { op: 'attach', session: SESSION, position })
    expect(socket.last('snapshot')).toMatchObject({ since: 1, last: true })
    const events = { op: 'attach', session: SESSION, position, catchup: 'events' }
    const before = socket.serials(SESSION).length
    await ask(world, socket, events)
    expect(socket.serials(SESSION).slice(before)).toHaveLength(12)
  })

  test('a view that cannot be had when it would be cheaper costs nothing: the events are told', async () => {
    const world = new World({ foldAfterEvents: 1 })
    const { socket } = await connected(world)
    await ask(world, socket, { op: 'attach', session: SESSION })
    const position = socket.last('snapshot')?.position
    for (let i = 0; i < 4; i++) await ask(world, socket, publishing())
    vi.spyOn(world.store, 'read').mockRejectedValueOnce(
      new HeldlineError('store_unavailable', 'unable to read'),
    )
    const before = socket.serials(SESSION).length
    await ask(world, socket, { op: 'attach', session: SESSION, position })
    expect(socket.serials(SESSION).slice(before)).toEqual([2, 3, 4, 5])
    expect(socket.all('error')).toEqual([])
  })

  test('what is damaged is a line for the operator, with session and serial, whichever way it is read [P-4.4]', async () => {
    const { world, socket } = await connected()
    for (let i = 0; i < 3; i++) await ask(world, socket, publishing())
    const cold = world.node()
    vi.spyOn(world.store, 'read').mockRejectedValue(
      new HeldlineError('event_corrupt', 'unable to read', { facts: { serial: 2 } }),
    )
    const reader = cold.connect(grant())
    await ask(world, reader, { op: 'attach', session: SESSION })
    expect(reader.all('error')).toMatchObject([{ session: SESSION, code: 'event_corrupt' }])
    const lines = () => cold.log.lines.filter(({ event }) => event === 'store.corrupt')
    expect(lines()).toMatchObject([{ level: 'error', fields: { error: { facts: { serial: 2 } } } }])
    const [head] = await world.store.heads([SESSION])
    const position = `${head?.epoch}.0.--------`
    await ask(world, reader, { op: 'attach', session: SESSION, position })
    expect(reader.all('reset')).toMatchObject([{ session: SESSION, reason: 'corrupt' }])
    expect(lines()[1]).toMatchObject({ level: 'error', fields: { session: SESSION, serial: 1 } })
  })

  test('a failover between the attach and its folded answer is a reset, never another log under the same position [invariant 3]', async () => {
    const world = new World({ foldAfterEvents: 3 })
    const { socket, node } = await connected(world)
    await ask(world, socket, { op: 'attach', session: SESSION })
    for (let i = 0; i < 3; i++) await ask(world, socket, publishing())
    await ask(world, socket, { op: 'attach', session: SESSION })
    const position = socket.last('snapshot')?.position
    for (let i = 0; i < 5; i++) await ask(world, socket, publishing())
    // The hub knows the head by now, and the store is another one when the view is folded.
    const lost = new World()
    lost.node()
    await lost.session()
    vi.spyOn(world.store, 'read').mockImplementation(async (session, range) => {
      const page = await lost.store.read(session, range)
      const [head] = await world.store.heads([session])
      return page && head ? { ...page, epoch: head.epoch } : null
    })
    vi.spyOn(node.views, 'at').mockImplementation((session) => lost.nodes[0]!.views.at(session))
    await ask(world, socket, { op: 'attach', session: SESSION, position })
    const after = socket.frames.slice(
      socket.frames.findLastIndex(({ type }) => type === 'attached'),
    )
    expect(after.map(({ type }) => type)).toEqual(['attached', 'reset', 'snapshot'])
    expect(after[1]).toMatchObject({ reason: 'ahead' })
    expect(after[2]).not.toHaveProperty('since')
  })

  test('attaching again replaces the attachment: one reader, from the position that is given now [P-4.2]', async () => {
    const { world, socket } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION })
    await ask(world, socket, { op: 'attach', session: SESSION })
    await ask(world, socket, publishing())
    expect(socket.serials(SESSION)).toEqual([2])
  })

  test('attach and detach in any order and without waiting are each answered once, and the last word counts [P-4.1]', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const world = new World({ framesBurst: 1000 })
      const { socket, node } = await connected(world)
      const refs: string[] = []
      let attached = false
      for (let i = 0; i < 8; i++) {
        attached = world.random.chance(0.6)
        const presence = world.random.chance(0.5) ? { presence: { member: 'tab' } } : {}
        const frame = attached ? { op: 'attach', ...presence } : { op: 'detach' }
        refs.push(socket.ask({ ...frame, session: SESSION }))
        for (let ticks = world.random.int(0, 6); ticks > 0; ticks--) await Promise.resolve()
      }
      await world.clock.settle()
      for (const ref of refs) expect(socket.answers(ref), `seed ${seed}`).toHaveLength(1)
      expect(node.hub.feeds).toBe(attached ? 1 : 0)
      if (!attached) expect(node.presence.size).toBe(0)
      const before = socket.serials(SESSION).length
      await ask(world, socket, publishing())
      expect(socket.serials(SESSION).length - before).toBe(attached ? 1 : 0)
      const types = await world.types()
      const count = (type: string) => types.filter((one) => one === type).length
      expect(count('member.entered') - count('member.left')).toBe(node.presence.size)
      socket.drop()
      await world.clock.settle()
      expect(node.presence.size).toBe(0)
    }
  })

  test('two words of presence at once are about one member', async () => {
    const { world, socket, node } = await connected()
    socket.ask({ op: 'attach', session: SESSION, presence: { member: 'tab' } })
    const second = { op: 'presence', session: SESSION, presence: { status: 'typing' } }
    expect(await ask(world, socket, second)).toMatchObject({ type: 'ok', member: 'tab' })
    expect(node.presence.size).toBe(1)
    expect(await world.types()).toEqual(['session.created', 'member.entered', 'member.updated'])
  })

  test('when the session is removed, the attachment is told and holds nothing any more [P-4.13]', async () => {
    const { world, socket, node } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION })
    await node.sessions.remove(SESSION)
    await world.clock.settle()
    expect(socket.last('error')).toMatchObject({
      ref: null,
      session: SESSION,
      code: 'session_not_found',
    })
    expect(node.hub.feeds).toBe(0)
    expect(socket.connection.holds.size).toBe(0)
    socket.connection.heartbeat()
    expect(socket.last('heartbeat')?.heads).toEqual({})
  })

  test('a session that is made again under its name is a reset for whoever held a position [P-4.4]', async () => {
    const { world, socket, node } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION })
    const position = socket.last('snapshot')?.position
    await node.sessions.remove(SESSION)
    await world.session()
    await ask(world, socket, { op: 'attach', session: SESSION, position })
    expect(socket.last('reset')?.reason).toBe('epoch')
  })
})

describe('publishing', () => {
  test('is acknowledged with its serials and the durability [P-4.6]', async () => {
    const { world, socket } = await connected()
    const events = [{ type: 'x.a', id: 'one' }, { type: 'x.b' }]
    const ack = await ask(world, socket, publishing(events))
    expect(ack).toMatchObject({ type: 'ack', first: 2, last: 3, duplicates: 0 })
    expect(ack['durability']).toBe('memory')
    const again = await ask(world, socket, publishing(events.slice(0, 1)))
    expect(again).toMatchObject({ first: 2, last: 2, duplicates: 1 })
  })

  test('keeps the bytes of the data [P-2.1]', async () => {
    const { socket, world } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION })
    const data = '{"b":1.0,"a":1e2,"a":3,"big":12345678901234567890}'
    socket.receive(
      `{"op":"publish","ref":"p","session":"${SESSION}","events":[{"type":"x.a","data":${data}}]}`,
    )
    await world.clock.settle()
    expect(socket.texts.at(-1)).toContain(`"data":${data}`)
  })

  test('publishes of one socket are in the log in the order in which they were sent', async () => {
    const { world, socket } = await connected(new World({ framesBurst: 1000 }))
    await ask(world, socket, { op: 'attach', session: SESSION })
    const message = { message: 'm' }
    socket.ask(publishing([{ type: 'message.started', data: { ...message, role: 'assistant' } }]))
    for (let i = 0; i < 20; i++) {
      socket.ask(publishing([{ type: 'message.delta', data: { ...message, text: `${i} ` } }]))
      if (i % 5 === 0)
        socket.ask(publishing([{ type: 'message.replaced', data: { ...message, parts: [] } }]))
    }
    socket.ask(publishing([{ type: 'message.completed', data: message }]))
    await world.clock.settle()
    expect(socket.all('error')).toEqual([])
    const texts = (await world.log()).flatMap(({ data }) => (data as { text?: string }).text ?? [])
    expect(texts.join('')).toBe(Array.from({ length: 20 }, (_, i) => `${i} `).join(''))
  })

  test('with send alone, only a person’s own words may be published [P-6.2]', async () => {
    const { world, socket } = await connected(
      new World(),
      grant({ capabilities: new Set(['send']) }),
    )
    const own = { type: 'message.completed', data: { message: 'm', role: 'user', parts: [] } }
    expect(await ask(world, socket, publishing([own]))).toMatchObject({ type: 'ack' })
    const other = { type: 'message.completed', data: { message: 'n', role: 'assistant' } }
    expect(await ask(world, socket, publishing([other]))).toMatchObject({ code: 'forbidden' })
    const delta = { type: 'message.delta', data: { message: 'm', text: '' } }
    expect(await ask(world, socket, publishing([delta]))).toMatchObject({ code: 'forbidden' })
  })
})

describe('signals and reading', () => {
  test('a signal reaches whoever is attached, on every node, and is not in the log [P-4.7]', async () => {
    const { world, socket } = await connected()
    const other = world.node().connect(grant({ subject: 'bob' }))
    await ask(world, socket, { op: 'attach', session: SESSION })
    await ask(world, other, { op: 'attach', session: SESSION })
    socket.receive({ op: 'signal', session: SESSION, name: 'typing', data: { on: true } })
    await world.clock.settle()
    for (const each of [socket, other]) {
      expect(each.last('signal')).toMatchObject({ name: 'typing', data: { on: true } })
    }
    expect(other.last('signal')?.by).toEqual({ subject: 'ada' })
    expect(await world.types()).toEqual(['session.created'])
  })

  test('a signal of more than 8 KiB is refused [P-4.7]', async () => {
    const { world, socket } = await connected()
    await ask(world, socket, { op: 'attach', session: SESSION })
    const signal = { op: 'signal', session: SESSION, name: 's', data: 'x'.repeat(8192) }
    expect(await ask(world, socket, signal)).toMatchObject({ code: 'payload_too_large' })
  })

  test('what was read never falls, and is never beyond the head [P-4.8]', async () => {
    const { world, socket } = await connected()
    for (let i = 0; i < 4; i++) await ask(world, socket, publishing())
    for (const serial of [3, 2, 99]) {
      expect(await ask(world, socket, { op: 'read', session: SESSION, serial })).toMatchObject({
        type: 'ok',
      })
      expect(await world.field('read:ada')).toBe(serial === 99 ? '5' : '3')
    }
  })
})

describe('a reader that does not keep up [P-4.11]', () => {
  test('is paused, loses nothing, and goes on when it has room', async () => {
    const { world, socket, node } = await connected(new World({ outboxBytes: 4000 }))
    await ask(world, socket, { op: 'attach', session: SESSION })
    socket.frozen = true
    const writer = node.connect(grant())
    for (let i = 0; i < 100; i++) {
      await ask(world, writer, publishing([{ type: 'x.a', data: 'y'.repeat(100) }]))
      await world.clock.advance(100)
    }
    expect(socket.serials(SESSION).length).toBeLessThan(40)
    expect(socket.bufferedBytes).toBeLessThan(6000)
    socket.frozen = false
    while (socket.bufferedBytes > 0) {
      socket.drain()
      await world.clock.settle()
    }
    expect(socket.serials(SESSION)).toEqual(Array.from({ length: 100 }, (_, i) => i + 2))
  })

  test('is closed with 4508 when it takes nothing for 30 s, and not when it takes a little', async () => {
    const world = new World({ outboxBytes: 4000 })
    const { socket, node } = await connected(world)
    await ask(world, socket, { op: 'attach', session: SESSION })
    socket.frozen = true
    const writer = node.connect(grant())
    const fill = async () => {
      for (const _ of [1, 2]) {
        await ask(world, writer, publishing([{ type: 'x.a', data: 'y'.repeat(2500) }]))
      }
    }
    await fill()
    for (let i = 0; i < 10; i++) {
      // It takes some, and gets as much again before anybody looks.
      socket.drain(5000)
      await fill()
      await world.clock.advance(15_000)
      node.beat()
      expect(socket.closedWith, `after ${i} looks`).toBeNull()
    }
    await world.clock.advance(15_000)
    node.beat()
    await world.clock.advance(15_000)
    node.beat()
    expect(socket.closedWith?.code).toBe(4508)
  })

  test('is closed with 4508 when even answers pile up beyond the hard bound', async () => {
    const world = new World({ outboxBytes: 1000, outboxHardBytes: 4000, framesBurst: 1000 })
    const { socket } = await connected(world)
    socket.frozen = true
    for (let i = 0; i < 300; i++) socket.ask({ op: 'ping' })
    await world.clock.settle()
    expect(socket.closedWith?.code).toBe(4508)
    expect(socket.bufferedBytes).toBeLessThan(5000)
  })
})

describe('the end', () => {
  test('nothing is left of a socket that is gone: feeds, subscriptions, timers, members', async () => {
    const world = new World()
    const { node, clock } = await connected(world)
    node.sockets.forEach((socket) => socket.drop())
    await clock.settle()
    const timers = clock.timers
    for (let round = 0; round < 20; round++) {
      const socket = node.connect(grant({ expiresAt: clock.now() + 500_000 }))
      socket.ask({ op: 'attach', session: SESSION, presence: { member: `m${round}` } })
      // Gone in the middle of whatever was going on.
      for (let ticks = 0; ticks < round; ticks++) await Promise.resolve()
      if (round % 2 === 0) socket.drop()
      else socket.connection.close(1011, 'over')
    }
    await clock.settle()
    expect(node.hub.feeds).toBe(0)
    expect(world.signals.hears(SESSION)).toBe(false)
    expect(node.presence.size).toBe(0)
    expect(clock.timers).toBe(timers)
    const frames = [...node.sockets].length
    expect(frames).toBe(0)
  })

  test('nothing is left of a node that is closed', async () => {
    const world = new World()
    const { node, socket, clock } = await connected(world)
    await ask(world, socket, { op: 'attach', session: SESSION })
    socket.ask({ op: 'attach', session: SESSION })
    node.close()
    await clock.settle()
    await clock.advance(60_000)
    expect(clock.timers).toBe(0)
    expect(world.signals.hears(SESSION)).toBe(false)
    expect(socket.closedWith?.code).toBe(1012)
  })

  test('what comes in after the end is ignored, and closing twice is closing once', async () => {
    const { world, socket } = await connected()
    socket.connection.close(1012, 'first')
    socket.connection.close(4401, 'second')
    socket.connection.lost(false)
    const { length } = socket.frames
    socket.receive({ op: 'ping', ref: '1' })
    await world.clock.settle()
    expect(socket.frames).toHaveLength(length)
    expect(socket.closedWith?.code).toBe(1012)
  })
})
