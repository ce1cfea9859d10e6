import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { claims, sign } from '../auth/kit.ts'
import { KEY, startGateway, TOKEN_SECRET, type GatewayServer } from './gateway-server.ts'
import { RawSocket } from './raw-socket.ts'
import { Witness } from './witness.ts'

const MINE = 'mine-1'
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

const object = (keys: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: keys }, (_, key) => [`k${key}`, 1]))
const publish = (...events: unknown[]) => ({ op: 'publish', ref: 'r', session: MINE, events })
const attach = (change: Record<string, unknown> = {}) => ({
  op: 'attach',
  ref: 'r',
  session: MINE,
  ...change,
})

interface Row {
  readonly what: string
  readonly send: () => object | string
  readonly code: string
  /** The ref of the answer, where it is not `r`. */
  readonly ref?: null
}

type Sent = object | string | (() => object)
const row = (what: string, send: Sent, code: string): Row => ({
  what,
  // A frame is never a function, so a function is one that makes it.
  send: typeof send === 'function' ? (send as () => object) : () => send,
  code,
})
/** Its answer cannot be for a ref. */
const lost = (what: string, send: object | string, code: string): Row => ({
  ...row(what, send, code),
  ref: null,
})

const GRAMMAR: readonly Row[] = [
  lost('an empty text', '', 'invalid_json'),
  lost('half an object', '{"op":"ping"', 'invalid_json'),
  lost('two objects', '{"op":"ping","ref":"r"}{}', 'invalid_json'),
  lost('NaN', '{"op":"read","ref":"r","session":"a","serial":NaN}', 'invalid_json'),
  lost('a single quote', "{'op':'ping'}", 'invalid_json'),
  lost('an array on top', '[{"op":"ping","ref":"r"}]', 'invalid_request'),
  lost('a string on top', '"ping"', 'invalid_request'),
  lost('a number on top', '1e400', 'invalid_request'),
  lost('null on top', 'null', 'invalid_request'),
  lost('33 levels', `${'['.repeat(33)}${']'.repeat(33)}`, 'too_deep'),
  lost('100,000 brackets that never close', '['.repeat(100_000), 'too_deep'),
  lost('1,001 keys an object', { op: 'ping', ref: 'r', ...object(1001) }, 'too_many_keys'),
  lost('half of a surrogate pair', '{"op":"ping","ref":"\\ud800"}', 'invalid_utf8'),
  row('__proto__ as a key', '{"op":"ping","ref":"r","__proto__":{"x":1}}', 'forbidden_key'),
  row('a key twice', '{"op":"ping","op":"attach","ref":"r"}', 'duplicate_key'),
  row('a key twice, once escaped', '{"op":"ping","\\u006fp":"x","ref":"r"}', 'duplicate_key'),
]

const ENVELOPE: readonly Row[] = [
  row('an op that is not known', { op: 'subscribe', ref: 'r' }, 'unknown_op'),
  row('no op', { ref: 'r' }, 'unknown_op'),
  row('an op in capitals', { op: 'PING', ref: 'r' }, 'unknown_op'),
  row('an op that every object has', { op: 'constructor', ref: 'r' }, 'unknown_op'),
  row('an op that is a number', { op: 1, ref: 'r' }, 'unknown_op'),
  lost('no ref', { op: 'ping' }, 'invalid_ref'),
  lost('a ref of 10 kB', { op: 'ping', ref: 'r'.repeat(10_000) }, 'invalid_ref'),
  lost('a ref that is an object', { op: 'ping', ref: { toString: 'r' } }, 'invalid_ref'),
  lost('a ref that is a number', { op: 'ping', ref: 1 }, 'invalid_ref'),
  lost('a ref that is null', { op: 'ping', ref: null }, 'invalid_ref'),
  lost('an empty ref', { op: 'ping', ref: '' }, 'invalid_ref'),
  row('a field that is not known', { op: 'ping', ref: 'r', force: true }, 'unknown_field'),
]

const ATTACH: readonly Row[] = [
  row('no session', { op: 'attach', ref: 'r' }, 'invalid_request'),
  row('a session that is a number', attach({ session: 1 }), 'invalid_request'),
  row('an empty session', attach({ session: '' }), 'invalid_session_id'),
  row('a session that climbs', attach({ session: '../yours-1' }), 'invalid_session_id'),
  row('a session with a key tag', attach({ session: 'a}:s' }), 'invalid_session_id'),
  row('a session with NUL', attach({ session: 'mine-1\0' }), 'invalid_session_id'),
  row('a session of our own', attach({ session: '~tickets-a' }), 'invalid_session_id'),
  row('a session of 129', attach({ session: 'a'.repeat(129) }), 'invalid_session_id'),
  row('a session that is not there', attach({ session: 'nowhere' }), 'session_not_found'),
  row('a position that is none', attach({ position: 'now' }), 'invalid_position'),
  row('a position of 10 kB', attach({ position: 'p'.repeat(10_000) }), 'invalid_position'),
  row('a serial as position', attach({ position: '1' }), 'invalid_position'),
  row('a position that is a number', attach({ position: 1 }), 'invalid_request'),
  row('a negative serial', () => attach({ position: withSerial('-1') }), 'invalid_position'),
  row('a serial with a zero', () => attach({ position: withSerial('01') }), 'invalid_position'),
  row('an exponent', () => attach({ position: withSerial('1e3') }), 'invalid_position'),
  row('2^53', () => attach({ position: withSerial('9007199254740992') }), 'invalid_position'),
  row('another catchup', attach({ catchup: 'all' }), 'invalid_request'),
  row('presence that is a word', attach({ presence: 'here' }), 'invalid_request'),
  row('presence of another kind', attach({ presence: { kind: 'robot' } }), 'invalid_request'),
  row('a member that climbs', attach({ presence: { member: '../x' } }), 'invalid_request'),
  row('presence with __proto__', rawPresence('"__proto__":{"a":1}'), 'forbidden_key'),
  row('presence with a key twice', rawPresence('"status":"a","status":"b"'), 'duplicate_key'),
  row('presence of 10 kB', attach({ presence: { data: { x: big(10_000) } } }), 'payload_too_large'),
]

const PUBLISH: readonly Row[] = [
  row('no events', publish(), 'invalid_request'),
  row('events that are one object', { ...publish(), events: { type: 'x.a' } }, 'invalid_request'),
  row('an event that is null', publish(null), 'invalid_request'),
  row(
    '1,001 events',
    publish(...Array.from({ length: 1001 }, () => ({ type: 'x.a' }))),
    'invalid_request',
  ),
  row("the server's own type", publish({ type: 'member.entered', data: {} }), 'reserved_type'),
  row('a type of nobody', publish({ type: 'message.edited', data: {} }), 'unknown_type'),
  row('a type in capitals', publish({ type: 'x.A' }), 'unknown_type'),
  row('a type without a name', publish({ type: 'x.' }), 'unknown_type'),
  row('a type of 65', publish({ type: `x.${'a'.repeat(63)}` }), 'invalid_request'),
  row('an id with a space', publish({ type: 'x.a', id: 'a b' }), 'invalid_request'),
  row('an event that says its serial', publish({ type: 'x.a', serial: 7 }), 'unknown_field'),
  row('an event with __proto__', rawEvent('"__proto__":{"a":1}'), 'forbidden_key'),
  row('an event with its data twice', rawEvent('"data":1,"data":2'), 'duplicate_key'),
  row('a delta without a text', publish({ type: 'message.delta', data: {} }), 'invalid_request'),
  row('a delta of nothing', publish(delta('nothing', 'a')), 'message_not_found'),
  row('an event of 64 KiB + 1', publish({ type: 'x.a', data: big(65_535) }), 'payload_too_large'),
  row(
    '64 KiB of wide letters',
    publish({ type: 'x.a', data: big(30_000, '€') }),
    'payload_too_large',
  ),
]

const OTHERS: readonly Row[] = [
  row('a signal to where it is not', op('signal', { name: 'typing' }), 'not_attached'),
  lost('a signal without a name', { op: 'signal', session: MINE, name: '' }, 'invalid_request'),
  row('presence where it is not', op('presence', { presence: {} }), 'not_attached'),
  row('a serial that is text', op('read', { serial: '1' }), 'invalid_request'),
  row('a negative read', op('read', { serial: -1 }), 'invalid_request'),
  row('half a serial', op('read', { serial: 0.5 }), 'invalid_request'),
  row('a read of nowhere', { ...op('read', { serial: 1 }), session: 'no' }, 'session_not_found'),
  row('a token that is none', { op: 'auth', ref: 'r', token: 'a.b.c' }, 'invalid_token'),
  row('a token that is a number', { op: 'auth', ref: 'r', token: 1 }, 'invalid_request'),
]

describe('a frame that is wrong is answered with what is wrong, and the socket lives [P-8.2]', () => {
  const tables = { GRAMMAR, ENVELOPE, ATTACH, PUBLISH, OTHERS }
  for (const [name, table] of Object.entries(tables)) {
    test.each(table)(`${name.toLowerCase()}: $what is $code`, async ({ send, code, ref = 'r' }) => {
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
    { what: 'ahead of the head', position: () => withSerial('99'), reason: 'ahead' },
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

function op(name: string, fields: Record<string, unknown>): Record<string, unknown> {
  return { op: name, ref: 'r', session: MINE, ...fields }
}

function big(length: number, letter = 'a'): string {
  return letter.repeat(length)
}

function delta(message: string, text: string): object {
  return { type: 'message.delta', data: { message, text } }
}

function rawEvent(members: string): string {
  return `{"op":"publish","ref":"r","session":"${MINE}","events":[{"type":"x.a",${members}}]}`
}

function rawPresence(members: string): string {
  return `{"op":"attach","ref":"r","session":"${MINE}","presence":{${members}}}`
}

/** The position of MINE with another serial. */
function withSerial(serial: string): string {
  const [epoch = '', , tag = ''] = mine.split('.')
  return `${epoch}.${serial}.${tag}`
}
