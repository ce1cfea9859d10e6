import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { claims, sign } from '../auth/kit.ts'
import { attach, badFrames, MINE, publish, serialIn } from './bad-frame-rows.ts'
import { KEY, startGateway, TOKEN_SECRET, type GatewayServer } from './gateway-server.ts'
import { RawSocket } from './raw-socket.ts'
import { Witness } from './witness.ts'

const YOURS = 'yours-1'

let server: GatewayServer
let witness: Witness
/** The position of the head of MINE, and of another session. */
let mine = ''
let yours = ''

beforeAll(async () => {
  server = await startGateway({ limits: { maxSessionsPerSocket: 2 } })
  mine = await server.open(MINE)
  yours = await server.open(YOURS)
  await server.open('mine-2')
  await server.open('mine-3')
  witness = await Witness.on(server)
})

afterEach(async () => {
  await witness.noticesNothing()
})

afterAll(async () => {
  await witness?.close()
  await server?.close()
})

async function open(credential = KEY): Promise<RawSocket> {
  const headers = { Authorization: `Bearer ${credential}` }
  const socket = new RawSocket({ port: server.port, headers })
  onTestFinished(() => socket.reset())
  expect(await socket.untilStatus()).toBe(101)
  await socket.untilFrame(({ type }) => type === 'welcome')
  return socket
}

function token(change: Record<string, unknown> = {}): Promise<string> {
  return sign(claims({ now: Date.now, after: notUsed, defer: notUsed }, change), {}, SECRET)
}

const SECRET = Buffer.from(TOKEN_SECRET)
const notUsed = (): never => {
  throw new Error('a token needs the time alone')
}

describe('a frame that is wrong is answered with what is wrong, and the socket lives [P-8.2]', () => {
  for (const [name, table] of Object.entries(badFrames(() => mine))) {
    test.each(table)(`${name}: $what is $code`, async ({ send, code, ref = 'r' }) => {
      const socket = await open()
      socket.send(send())
      const error = await socket.untilFrame(({ type }) => type === 'error')
      expect(error).toMatchObject({ code, ref, retryable: false })
      expect(Object.keys(error).every((key) => ERROR_FIELDS.has(key))).toBe(true)
      socket.send({ op: 'ping', ref: 'after' })
      await socket.untilFrame((frame) => frame.type === 'pong' && frame['ref'] === 'after')
      expect(socket.frames.filter(({ type }) => type === 'error')).toHaveLength(1)
      expect(socket.closeCode).toBeNull()
    })
  }
})

describe('a position that cannot be followed is said [P-4.4]', () => {
  const rows = [
    { what: 'ahead of the head', position: () => serialIn(mine, '99'), reason: 'ahead' },
    { what: 'of another session', position: () => yours, reason: 'epoch' },
    { what: 'with another tag', position: () => mine.replace(/.{8}$/, 'AAAAAAAA'), reason: 'fork' },
  ]
  test.each(rows)('$what is a reset: $reason', async ({ position, reason }) => {
    const socket = await open()
    const refused = position()
    socket.send(attach({ position: refused }))
    const reset = await socket.untilFrame(({ type }) => type === 'reset')
    expect(reset).toEqual({
      type: 'reset',
      session: MINE,
      reason,
      floor: 0,
      head: mine,
      position: refused,
    })
    const snapshot = await socket.untilFrame(({ type }) => type === 'snapshot')
    expect(snapshot).toMatchObject({ position: mine, last: true })
  })
})

describe('what is allowed is checked on every frame [P-6.2]', () => {
  const own = { sub: 'ada', sessions: ['mine-*'] }
  const rows = [
    { what: 'an attach to a session of others', can: ['subscribe'], frame: { op: 'attach' } },
    { what: 'a publish', can: ['publish'], frame: { op: 'publish', events: [{ type: 'x.a' }] } },
    { what: 'a read mark', can: ['subscribe'], frame: { op: 'read', serial: 1 } },
    { what: 'a signal', can: ['signal'], frame: { op: 'signal', name: 'typing' } },
  ]
  test.each(rows)('$what is not found, as if it were not there', async ({ can, frame }) => {
    const socket = await open(await token({ ...own, capabilities: can }))
    for (const session of [YOURS, 'nowhere']) socket.send({ ...frame, ref: session, session })
    const there = await socket.untilFrame(({ ref }) => ref === YOURS)
    const absent = await socket.untilFrame(({ ref }) => ref === 'nowhere')
    expect(there).toEqual({ ...absent, ref: YOURS })
    expect(there).toMatchObject({ type: 'error', code: 'session_not_found' })
  })

  test.each([
    { what: 'an attach', can: ['publish'], frame: { op: 'attach' } },
    { what: 'a publish', can: ['subscribe'], frame: { op: 'publish', events: [{ type: 'x.a' }] } },
    { what: 'presence', can: ['subscribe'], frame: { op: 'attach', presence: {} } },
    {
      what: 'the word of the assistant with send alone',
      can: ['send'],
      frame: {
        op: 'publish',
        events: [{ type: 'message.started', data: { message: 'm', role: 'assistant' } }],
      },
    },
  ])('$what without its capability is forbidden', async ({ can, frame }) => {
    const socket = await open(await token({ ...own, capabilities: can }))
    socket.send({ ...frame, ref: 'r', session: MINE })
    expect(await socket.untilFrame(({ ref }) => ref === 'r')).toMatchObject({ code: 'forbidden' })
  })

  test('new credentials of another subject are refused, and the old ones go on', async () => {
    const socket = await open(await token({ ...own, capabilities: ['subscribe'] }))
    socket.send({ op: 'auth', ref: 'r', token: await token({ sub: 'bob' }) })
    expect(await socket.untilFrame(({ ref }) => ref === 'r')).toMatchObject({
      code: 'invalid_token',
    })
    socket.send(attach({ ref: 'after' }))
    await socket.untilFrame(({ ref, type }) => ref === 'after' && type === 'attached')
  })
})

describe('what looks wrong and is not', () => {
  test('attaching twice is one reader', async () => {
    const socket = await open()
    socket.send(attach({ ref: 'one', position: mine }))
    socket.send(attach({ ref: 'two', position: mine }))
    await socket.untilFrame(({ ref }) => ref === 'two')
    const data = { mark: 'twice' }
    socket.send(publish({ type: 'x.a', data }))
    const ack = await socket.untilFrame(({ type }) => type === 'ack')
    await socket.untilFrame(({ type }) => type === 'events')
    socket.send({ op: 'ping', ref: 'after' })
    await socket.untilFrame(({ type }) => type === 'pong')
    const serials = socket.frames.flatMap((frame) =>
      frame.type === 'events' ? (frame['events'] as { serial: number }[]) : [],
    )
    expect(serials.filter(({ serial }) => serial === ack['first'])).toHaveLength(1)
    mine = await server.open(MINE)
  })

  test('detaching from where one is not is detached', async () => {
    const socket = await open()
    socket.send({ op: 'detach', ref: 'r', session: MINE })
    expect(await socket.untilFrame(({ ref }) => ref === 'r')).toMatchObject({ type: 'detached' })
  })

  test('one session more than a socket may have is a subscription limit', async () => {
    const socket = await open()
    for (const session of [MINE, 'mine-2', 'mine-3']) socket.send(attach({ session, ref: session }))
    expect(await socket.untilFrame(({ ref }) => ref === 'mine-3')).toMatchObject({
      code: 'subscription_limit',
    })
  })

  test('an id again with other content is a conflict, with the same content the same answer [P-2.5]', async () => {
    const socket = await open()
    const event = (data: number) => publish({ type: 'x.a', id: 'once', data })
    socket.send({ ...event(1), ref: 'first' })
    const first = await socket.untilFrame(({ ref }) => ref === 'first')
    socket.send({ ...event(1), ref: 'again' })
    const again = await socket.untilFrame(({ ref }) => ref === 'again')
    expect(again).toEqual({ ...first, ref: 'again', duplicates: 1 })
    socket.send({ ...event(2), ref: 'other' })
    const other = await socket.untilFrame(({ ref }) => ref === 'other')
    expect(other).toMatchObject({ code: 'idempotency_conflict' })
    mine = await server.open(MINE)
  })

  test('keys of an application are its own, whatever they are [P-2.3]', async () => {
    const socket = await open()
    const data = '{"__proto__":{"a":1},"a":1,"a":1e400,"n":9007199254740993}'
    socket.send(attach({ ref: 'here', position: mine }))
    await socket.untilFrame(({ ref }) => ref === 'here')
    socket.send(
      `{"op":"publish","ref":"r","session":"${MINE}","events":[{"type":"x.a","data":${data}}]}`,
    )
    expect(await socket.untilFrame(({ ref }) => ref === 'r')).toMatchObject({ type: 'ack' })
    mine = await server.open(MINE)
  })
})

const ERROR_FIELDS = new Set(['type', 'ref', 'code', 'message', 'retryable', 'facts'])
