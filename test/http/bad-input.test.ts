import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ERRORS, type ErrorCode } from '../../src/protocol/errors.ts'
import { KEY, startHttp, type Answered, type Ask, type HttpServer } from './http-server.ts'
import { RawHttp, rawRequest } from './raw-http.ts'
import { Witness } from './witness.ts'

const BODY_MS = 300
const HEADERS_MS = 300

let server: HttpServer
let witness: Witness

beforeAll(async () => {
  server = await startHttp({
    httpLimits: { bodyMs: BODY_MS, headersMs: HEADERS_MS, lookMs: 50, lingerMs: 100 },
  })
  await server.ask('PUT', '/v1/sessions/s1')
  await server.ask('PUT', '/v1/sessions/closed')
  await server.ask('POST', '/v1/sessions/closed/close')
  witness = await Witness.on(server)
})

afterEach(async () => {
  await witness.noticesNothing()
})

afterAll(async () => {
  witness?.close()
  await server?.close()
})

const EVENTS = '/v1/sessions/s1/events'

/** Every refusal has this form, names nothing of what was sent, and can be found by its id. [P-8.1] */
function expectProblem(answered: Answered, code: ErrorCode): void {
  expect(answered.json).toMatchObject({ code, status: ERRORS[code].status })
  expect(answered.status).toBe(ERRORS[code].status)
  expect(answered.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answered.json).toMatchObject({
    type: `/docs#${code}`,
    title: ERRORS[code].title,
    retryable: ERRORS[code].retryable,
    next: ERRORS[code].next,
    requestId: answered.headers.get('x-request-id'),
  })
  expect(answered.json.detail).toMatch(/\S/)
  expect(answered.text).not.toMatch(/node:|\.ts|at \w+ \(/)
}

type Row = readonly [what: string, method: string, path: string, ask: Ask, code: ErrorCode]

const append = (what: string, raw: BodyInit, code: ErrorCode, headers = JSON_TYPE): Row => [
  what,
  'POST',
  EVENTS,
  { raw, headers },
  code,
]
const put = (what: string, raw: string, code: ErrorCode): Row => [
  what,
  'PUT',
  '/v1/sessions/s2',
  { raw, headers: JSON_TYPE },
  code,
]
const get = (what: string, path: string, code: ErrorCode): Row => [what, 'GET', path, {}, code]
const after = (what: string, position: string, code: ErrorCode): Row =>
  get(what, `${EVENTS}?after=${position}`, code)

const JSON_TYPE: Readonly<Record<string, string>> = { 'content-type': 'application/json' }
const nested = (depth: number): string =>
  `{"type":"x.a","data":${'['.repeat(depth)}${']'.repeat(depth)}}`
const objects = (depth: number): string =>
  `{"type":"x.a","data":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`
const wide = (keys: number): string =>
  `{"type":"x.a","data":{${Array.from({ length: keys }, (_, key) => `"k${key}":1`).join(',')}}}`

const rows: readonly Row[] = [
  append('malformed JSON', '{"type":', 'invalid_json'),
  append('two values', '{"type":"x.a"} {}', 'invalid_json'),
  append('NaN', '{"type":"x.a","data":NaN}', 'invalid_json'),
  append('a byte order mark', '\ufeff{"type":"x.a"}', 'invalid_json'),
  append('an empty body', '', 'empty_body'),
  append('white space alone', '   ', 'invalid_json'),
  append('__proto__ in the envelope', '{"type":"x.a","__proto__":{}}', 'forbidden_key'),
  append(
    'constructor in the envelope',
    '{"type":"x.a","constructor":{"prototype":{}}}',
    'forbidden_key',
  ),
  append('__proto__ with an escape', '{"type":"x.a","\\u005f_proto__":{}}', 'forbidden_key'),
  append(
    '__proto__ in an event of an array',
    '[{"type":"x.a"},{"type":"x.a","__proto__":1}]',
    'forbidden_key',
  ),
  put('__proto__ in metadata', '{"metadata":{"__proto__":{"admin":true}}}', 'forbidden_key'),
  append('a duplicate key', '{"type":"x.a","type":"x.b"}', 'duplicate_key'),
  put('a duplicate key in metadata', '{"metadata":{"a":1,"a":2}}', 'duplicate_key'),
  append('XML', '<a/>', 'unsupported_media_type', { 'content-type': 'text/xml' }),
  append('a content type with something behind', '{}', 'unsupported_media_type', {
    'content-type': 'application/json garbage',
  }),
  append('a content type with another parameter', '{}', 'unsupported_media_type', {
    'content-type': 'application/json; charset=latin1',
  }),
  append('no content type', new Blob(['{"type":"x.a"}']), 'unsupported_media_type', {}),
  append('an encoding', '{}', 'unsupported_media_type', {
    ...JSON_TYPE,
    'content-encoding': 'gzip',
  }),
  append('100,000 nested arrays', nested(100_000), 'too_deep'),
  append('33 nested arrays', nested(32), 'too_deep'),
  append('20,000 nested objects', objects(20_000), 'too_deep'),
  append('1,001 keys', wide(1001), 'too_many_keys'),
  append('60,000 keys', wide(60_000), 'too_many_keys'),
  append('a lone surrogate', '{"type":"x.a","data":"\\ud800"}', 'invalid_utf8'),
  append(
    'bytes that are not UTF-8',
    new Uint8Array([...Buffer.from('{"type":"x.a","data":"'), 0xc3, 0x28, 0x22, 0x7d]),
    'invalid_utf8',
  ),
  append('an overlong encoding', new Uint8Array([0x22, 0xc0, 0xaf, 0x22]), 'invalid_utf8'),
  put('text for a number', '{"ttlMs":"5"}', 'invalid_request'),
  put('a boolean for a number', '{"ttlMs":true}', 'invalid_request'),
  put('a list for a number', '{"ttlMs":[7]}', 'invalid_request'),
  put('a fraction', '{"ttlMs":1.5}', 'invalid_request'),
  put('a negative number', '{"ttlMs":-1}', 'invalid_request'),
  put('an infinite number', '{"ttlMs":1e400}', 'invalid_request'),
  put('a number that is not exact', '{"ttlMs":9007199254740993}', 'invalid_request'),
  put('a number of 10,000 digits', `{"ttlMs":${'9'.repeat(10_000)}}`, 'invalid_request'),
  put('a list for the body', '[]', 'invalid_request'),
  put('null for the body', 'null', 'invalid_request'),
  append('null', 'null', 'invalid_request'),
  append('a number', '7', 'invalid_request'),
  append('no event', '[]', 'invalid_request'),
  append('an event without a type', '{"data":1}', 'invalid_request'),
  append('a list in a list', '[[]]', 'invalid_request'),
  append('1,001 events', `[${'{"type":"x.a"},'.repeat(1000)}{"type":"x.a"}]`, 'payload_too_large'),
  append('an unknown field', '{"type":"x.a","serial":7}', 'unknown_field'),
  put('an unknown field of a nested object', '{"retention":{"maxRows":1}}', 'unknown_field'),
  append('a type of the server', '{"type":"session.closed"}', 'reserved_type'),
  append('a type that nobody knows', '{"type":"letter.sent"}', 'unknown_type'),
  append('a malformed id', '{"type":"x.a","id":"a b"}', 'invalid_request'),
  append('a message without its fields', '{"type":"message.started","data":{}}', 'invalid_request'),
  append(
    'an event over its limit',
    `{"type":"x.a","data":"${'a'.repeat(66_000)}"}`,
    'payload_too_large',
  ),
  append(
    'a body over its limit',
    `[${'{"type":"x.a","data":"0123456789"},'.repeat(40_000)}1]`,
    'payload_too_large',
  ),
  put(
    'a body of control over its limit',
    `{"metadata":{"a":"${'a'.repeat(140_000)}"}}`,
    'payload_too_large',
  ),
  after('a position that is cut', 'abc', 'invalid_position'),
  after('a position of junk', 'QUJDREVGRw==', 'invalid_position'),
  after('a position of 6 kB', 'a'.repeat(6000), 'invalid_position'),
  after('a serial with an exponent', '1e400', 'invalid_position'),
  after('a serial beyond 2^53', '9007199254740993', 'invalid_position'),
  after('a serial that is NaN', 'NaN', 'invalid_position'),
  after('a negative serial', '-1', 'invalid_position'),
  after('a fraction of a serial', '1.5', 'invalid_position'),
  after('a serial with a zero before', '01', 'invalid_position'),
  after('a serial ahead of the head', '999', 'position_unrecoverable'),
  get('limit 0', `${EVENTS}?limit=0`, 'invalid_limit'),
  get('limit -1', `${EVENTS}?limit=-1`, 'invalid_limit'),
  get('limit 10^9', `${EVENTS}?limit=1000000000`, 'invalid_limit'),
  get('an empty limit', `${EVENTS}?limit=`, 'invalid_limit'),
  get('an unknown parameter', `${EVENTS}?offset=1`, 'unknown_field'),
  get('a parameter for the prototype', `${EVENTS}?__proto__[x]=1`, 'unknown_field'),
  get('a parameter twice', `${EVENTS}?limit=1&limit=2`, 'duplicate_param'),
  get('a line break in a parameter', `/v1/sessions?prefix=a%0d%0aSet-Cookie:x`, 'invalid_request'),
  get('a parameter that is not UTF-8', `/v1/sessions?prefix=%ff`, 'invalid_request'),
  get('a session id with a way up', '/v1/sessions/%2e%2e%2fetc', 'invalid_session_id'),
  get('a session id with NUL', '/v1/sessions/a%00b', 'invalid_session_id'),
  get('a session id with a line break', '/v1/sessions/a%0d%0ab', 'invalid_session_id'),
  get('a session id of 129 characters', `/v1/sessions/${'a'.repeat(129)}`, 'invalid_session_id'),
  get('a session id of 6,000 characters', `/v1/sessions/${'a'.repeat(6000)}`, 'invalid_session_id'),
  get('a session id for a store key', '/v1/sessions/a%7D:s%7Bb', 'invalid_session_id'),
  get('a session id of confusables', '/v1/sessions/%D0%B0dmin', 'invalid_session_id'),
  get(
    'a session id that runs from right to left',
    '/v1/sessions/a%E2%80%AEb',
    'invalid_session_id',
  ),
  get('an empty session id', '/v1/sessions/', 'invalid_session_id'),
  get('a path that is not percent-encoded', '/v1/sessions/%zz', 'invalid_request'),
  get('a path with script', '/<script>alert(1)</script>', 'not_found'),
  ['no credentials', 'GET', EVENTS, { credential: null }, 'unauthenticated'],
  ['a wrong secret', 'GET', EVENTS, { credential: 'agent:wrong' }, 'unauthenticated'],
  ['an unknown key', 'GET', EVENTS, { credential: 'nobody:wrong' }, 'unauthenticated'],
  ['a token that is none', 'GET', EVENTS, { credential: 'a.b.c' }, 'invalid_token'],
  [
    'another scheme',
    'GET',
    EVENTS,
    { credential: null, headers: { authorization: 'Digest x' } },
    'unauthenticated',
  ],
  [
    'a malformed Idempotency-Key',
    'POST',
    EVENTS,
    { body: { type: 'x.a' }, headers: { 'idempotency-key': 'a b' } },
    'invalid_idempotency_key',
  ],
  [
    'an Idempotency-Key of 129 characters',
    'POST',
    EVENTS,
    { body: { type: 'x.a' }, headers: { 'idempotency-key': 'a'.repeat(129) } },
    'invalid_idempotency_key',
  ],
  [
    'a producer without its seq',
    'POST',
    EVENTS,
    { body: { type: 'x.a' }, headers: { 'producer-id': 'p', 'producer-epoch': '1' } },
    'invalid_producer',
  ],
  [
    'a producer whose seq is a fraction',
    'POST',
    EVENTS,
    {
      body: { type: 'x.a' },
      headers: { 'producer-id': 'p', 'producer-epoch': '1', 'producer-seq': '1.5' },
    },
    'invalid_producer',
  ],
  [
    'an append to a closed session',
    'POST',
    '/v1/sessions/closed/events',
    { body: { type: 'x.a' } },
    'session_closed',
  ],
  [
    'a delta of a message that is not there',
    'POST',
    EVENTS,
    { body: { type: 'message.delta', data: { message: 'no', text: 'x' } } },
    'message_not_found',
  ],
  get('a session that is not there', '/v1/sessions/none', 'session_not_found'),
  ['a wrong method', 'DELETE', EVENTS, {}, 'method_not_allowed'],
]

describe('bad input over HTTP', () => {
  test('the table is long enough', () => {
    expect(rows.length).toBeGreaterThan(45)
  })

  test.for(rows)('%s', async ([, method, path, ask, code]) => {
    const answered = await server.ask(method, path, ask)
    expectProblem(answered, code)
    if (answered.status === 401) expect(answered.headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(answered.text).not.toContain('script>')
  })

  test('inside data, every key is the application’s own', async () => {
    const data =
      '{"__proto__":{"a":1},"constructor":1,"a":1,"a":2,"n":1e400,"z":-0,"b":9007199254740993}'
    const raw = `{"type":"x.a","data":${data}}`
    const { status, json } = await server.ask('POST', EVENTS, { raw, headers: JSON_TYPE })
    expect(status).toBe(200)
    const { text } = await server.ask('GET', `${EVENTS}?after=${json.last - 1}`)
    expect(text).toContain(`"data":${data}}`)
  })

  test('an id of 101 and of 128 characters is an id, and percent-encoding changes nothing', async () => {
    for (const length of [101, 128]) {
      const id = 'a'.repeat(length)
      expect((await server.ask('PUT', `/v1/sessions/${id}`)).status).toBe(201)
      const encoded = '%61'.repeat(length)
      expect((await server.ask('GET', `/v1/sessions/${encoded}`)).json.session).toBe(id)
    }
  })
})

/** Sends bytes, and gives the answer and whether the connection ended. */
function raw(bytes: string | Buffer): RawHttp {
  const client = new RawHttp(server.port, bytes)
  onTestFinished(() => client.close())
  return client
}

const GET = 'GET /v1/sessions/s1'
const POST = `POST ${EVENTS}`
const big = 'a'.repeat(3 * 1024 * 1024)

interface RawRow {
  readonly what: string
  readonly bytes: string | Buffer
  readonly code: ErrorCode
  readonly ends: boolean
}

const bytes = (what: string, content: string | Buffer, code: ErrorCode, ends = true): RawRow => ({
  what,
  bytes: content,
  code,
  ends,
})

const rawRows: readonly RawRow[] = [
  bytes('no Host', rawRequest(GET, { Host: undefined }), 'invalid_request', false),
  bytes('two Hosts', rawRequest(GET, { host: 'a' }), 'invalid_request', false),
  bytes(
    'two Authorizations',
    rawRequest(GET, { authorization: `Bearer ${KEY}` }),
    'invalid_request',
    false,
  ),
  bytes(
    'Content-Length and Transfer-Encoding',
    rawRequest(POST, { 'Content-Length': '3', 'Transfer-Encoding': 'chunked' }, '0\r\n\r\n'),
    'invalid_request',
  ),
  bytes(
    'two Content-Lengths',
    rawRequest(POST, { 'Content-Length': '2', 'content-length': '3' }, '{}'),
    'invalid_request',
  ),
  bytes('a line that ends with LF alone', 'GET /livez HTTP/1.1\nHost: a\n\n', 'invalid_request'),
  bytes(
    'a folded header',
    'GET /livez HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n',
    'invalid_request',
  ),
  bytes('CR in a header', 'GET /livez HTTP/1.1\r\nHost: a\r\nX-A: b\rc\r\n\r\n', 'invalid_request'),
  bytes('a header of 20 kB', rawRequest(GET, { 'X-A': 'a'.repeat(20_000) }), 'headers_too_large'),
  bytes(
    '101 headers',
    rawRequest(GET, Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1']))),
    'headers_too_large',
    false,
  ),
  bytes(
    'the hello of TLS',
    Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0]),
    'invalid_request',
  ),
  bytes('garbage', 'hello, is anybody there?\r\n\r\n', 'invalid_request'),
  bytes('an unknown method', rawRequest('FETCH /livez'), 'invalid_request'),
  bytes('TRACE', rawRequest('TRACE /livez'), 'method_not_allowed', false),
  bytes('TRACE of a path that is not there', rawRequest('TRACE /nope'), 'not_found', false),
  bytes('another known method', rawRequest('PROPFIND /v1/sessions'), 'method_not_allowed', false),
  bytes(
    'a whole URL for a target',
    rawRequest('GET http://other.example/livez'),
    'invalid_request',
    false,
  ),
  bytes('a path that goes up', rawRequest('GET /v1/sessions/../../etc/passwd'), 'not_found', false),
  bytes(
    'a body over the limit by its length',
    rawRequest(
      POST,
      { 'Content-Type': 'application/json', 'Content-Length': String(big.length) },
      big.slice(0, 1000),
    ),
    'payload_too_large',
  ),
  bytes(
    'a body over the limit in chunks',
    rawRequest(
      POST,
      { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' },
      `${big.length.toString(16)}\r\n${big}`,
    ),
    'payload_too_large',
  ),
  bytes(
    'a malformed chunk',
    rawRequest(
      POST,
      { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' },
      'zz\r\n',
    ),
    'invalid_request',
  ),
  bytes(
    'a body that does not come',
    rawRequest(POST, { 'Content-Type': 'application/json', 'Content-Length': '10' }, '{'),
    'request_timeout',
  ),
  bytes(
    'a body that is asked for and does not come',
    rawRequest(POST, {
      'Content-Type': 'application/json',
      'Content-Length': '10',
      Expect: '100-continue',
    }),
    'request_timeout',
  ),
  bytes('headers that do not come', 'GET /livez HTTP/1.1\r\nHost: a\r\n', 'request_timeout'),
]

describe('bad bytes', () => {
  test.for(rawRows)('$what', async ({ bytes: content, code, ends }) => {
    const client = raw(content)
    const { status, headers, body } = await client.answer()
    expect({ status, body: JSON.parse(body) }).toMatchObject({
      status: ERRORS[code].status,
      body: { code },
    })
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(JSON.parse(body).requestId).toBe(headers.get('x-request-id'))
    if (ends) await client.untilEnd()
  })

  test('OPTIONS * is answered', async () => {
    expect((await raw(rawRequest('OPTIONS *')).answer()).status).toBe(204)
  })

  test('405 and OPTIONS name the methods of the path', async () => {
    const wrong = await server.ask('PATCH', EVENTS)
    expect(wrong.headers.get('allow')).toBe('GET, POST, OPTIONS')
    const asked = await server.ask('OPTIONS', '/v1/sessions/s1')
    expect(asked.status).toBe(204)
    expect(asked.headers.get('allow')).toBe('DELETE, GET, PATCH, PUT, OPTIONS')
  })

  test('a header called __proto__ is nothing', async () => {
    const { status } = await raw(
      rawRequest(GET, { ['__proto__']: 'x' }).replace('\r\n\r\n', '\r\n__proto__: a\r\n\r\n'),
    ).answer()
    expect(status).toBe(200)
  })

  test('a client that sends and closes its side is answered', async () => {
    const client = raw(rawRequest(GET))
    client.finish()
    expect((await client.answer()).status).toBe(200)
    await client.untilEnd()
  })

  test('a client that sends hundreds of requests without waiting is cut off', async () => {
    const client = raw(rawRequest(GET).repeat(1000))
    await client.untilEnd()
    expect(client.text.split('HTTP/1.1 200').length).toBeLessThan(200)
  })

  test('a request in HTTP/1.0 needs no Host', async () => {
    const client = raw('GET /livez HTTP/1.0\r\n\r\n')
    expect((await client.answer()).status).toBe(200)
  })
})
