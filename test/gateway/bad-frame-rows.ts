/** The session that the frames are about. */
export const MINE = 'mine-1'

const object = (keys: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: keys }, (_, key) => [`k${key}`, 1]))
export const publish = (...events: unknown[]) => ({
  op: 'publish',
  ref: 'r',
  session: MINE,
  events,
})
export const attach = (change: Record<string, unknown> = {}) => ({
  op: 'attach',
  ref: 'r',
  session: MINE,
  ...change,
})

export interface Row {
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

const attachRows = (position: () => string): readonly Row[] => {
  const withSerial = (serial: string): string => serialIn(position(), serial)
  return [
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
    row(
      'presence of 10 kB',
      attach({ presence: { data: { x: big(10_000) } } }),
      'payload_too_large',
    ),
  ]
}

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

const BEAT = { run: 'r1', epoch: 1 }
const OTHERS: readonly Row[] = [
  row('a signal to where it is not', op('signal', { name: 'typing' }), 'not_attached'),
  lost('a signal without a name', { op: 'signal', session: MINE, name: '' }, 'invalid_request'),
  row('presence where it is not', op('presence', { presence: {} }), 'not_attached'),
  row('a serial that is text', op('read', { serial: '1' }), 'invalid_request'),
  row('a negative read', op('read', { serial: -1 }), 'invalid_request'),
  row('half a serial', op('read', { serial: 0.5 }), 'invalid_request'),
  row('a read of nowhere', { ...op('read', { serial: 1 }), session: 'no' }, 'session_not_found'),
  row('a beat of no run', op('beat', { epoch: 1 }), 'invalid_request'),
  row('a beat without an epoch', op('beat', { run: 'r1' }), 'invalid_request'),
  row('a beat of epoch 0', op('beat', { run: 'r1', epoch: 0 }), 'invalid_request'),
  row('a beat of half an epoch', op('beat', { run: 'r1', epoch: 1.5 }), 'invalid_request'),
  row('an epoch that is text', op('beat', { run: 'r1', epoch: '1' }), 'invalid_request'),
  row('a beat of a run with a space', op('beat', { run: 'a b', epoch: 1 }), 'invalid_request'),
  row('a beat with a status', op('beat', { run: 'r1', epoch: 1, status: 'x' }), 'unknown_field'),
  row('a beat of a run that is not there', op('beat', { run: 'r1', epoch: 1 }), 'run_not_found'),
  row('a beat of nowhere', { ...op('beat', BEAT), session: 'no' }, 'session_not_found'),
  row('a beat that climbs', { ...op('beat', BEAT), session: '../x' }, 'invalid_session_id'),
  row('a token that is none', { op: 'auth', ref: 'r', token: 'a.b.c' }, 'invalid_token'),
  row('a token that is a number', { op: 'auth', ref: 'r', token: 1 }, 'invalid_request'),
]

/** Frames that are wrong, by what is wrong with them. `position`: of MINE. */
export const badFrames = (position: () => string): Readonly<Record<string, readonly Row[]>> => ({
  grammar: GRAMMAR,
  envelope: ENVELOPE,
  attach: attachRows(position),
  publish: PUBLISH,
  others: OTHERS,
})

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

/** A position with another serial. */
export function serialIn(position: string, serial: string): string {
  const [epoch = '', , tag = ''] = position.split('.')
  return `${epoch}.${serial}.${tag}`
}
