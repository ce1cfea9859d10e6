import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Grant } from '../../src/core/access.ts'
import { claims, forge, sign } from '../auth/kit.ts'
import { KEY, ORIGIN, startGateway, TOKEN_SECRET, type GatewayServer } from './gateway-server.ts'
import { RawSocket, type Upgrade } from './raw-socket.ts'
import { Witness } from './witness.ts'

let server: GatewayServer
let witness: Witness

beforeAll(async () => {
  server = await startGateway()
  witness = await Witness.on(server)
})

afterEach(async () => {
  await witness.noticesNothing()
})

afterAll(async () => {
  await witness?.close()
  await server?.close()
})

type Knock = Omit<Upgrade, 'port'>

function knock(request: Knock): RawSocket {
  const socket = new RawSocket({ port: server.port, ...request })
  onTestFinished(() => socket.reset())
  return socket
}

const key = { Authorization: `Bearer ${KEY}` }
const from = (origin: string): Knock => ({ headers: { ...key, Origin: origin } })
const rows: readonly { what: string; request: Knock; status: number; code?: string }[] = [
  { what: 'another path', request: { path: '/v1/sessions' }, status: 404, code: 'not_found' },
  { what: 'a path below', request: { path: '/v1/connect/x' }, status: 404, code: 'not_found' },
  { what: 'a path that climbs', request: { path: '/v1/../v1/connect/..' }, status: 404 },
  { what: 'a target that is no path', request: { path: '//' }, status: 404, code: 'not_found' },
  { what: 'another method', request: { method: 'POST', headers: key }, status: 405 },
  {
    what: 'an old version',
    request: { headers: { ...key, 'Sec-WebSocket-Version': '9' } },
    status: 400,
  },
  { what: 'no key', request: { headers: { ...key, 'Sec-WebSocket-Key': undefined } }, status: 400 },
  {
    what: 'a bad key',
    request: { headers: { ...key, 'Sec-WebSocket-Key': 'short' } },
    status: 400,
  },
  { what: 'no subprotocol', request: protocol(undefined), status: 400, code: 'invalid_request' },
  { what: 'another subprotocol', request: protocol('mqtt'), status: 400, code: 'invalid_request' },
  {
    what: 'our next version',
    request: protocol('heldline.v2'),
    status: 400,
    code: 'invalid_request',
  },
  { what: 'a subprotocol twice', request: protocol('heldline.v1, heldline.v1'), status: 400 },
  {
    what: 'an evil origin',
    request: from('https://evil.example'),
    status: 403,
    code: 'forbidden_origin',
  },
  { what: 'the origin null', request: from('null'), status: 403, code: 'forbidden_origin' },
  {
    what: 'an origin that begins so',
    request: from(`${ORIGIN}.evil`),
    status: 403,
    code: 'forbidden_origin',
  },
  {
    what: 'an origin in capitals',
    request: from(ORIGIN.toUpperCase()),
    status: 403,
    code: 'forbidden_origin',
  },
  {
    what: 'an origin without TLS',
    request: from(ORIGIN.replace('https', 'http')),
    status: 403,
    code: 'forbidden_origin',
  },
  {
    what: 'an origin with a port',
    request: from(`${ORIGIN}:444`),
    status: 403,
    code: 'forbidden_origin',
  },
  {
    what: 'an origin with a path',
    request: from(`${ORIGIN}/`),
    status: 403,
    code: 'forbidden_origin',
  },
  {
    what: 'a localhost in production',
    request: from('http://localhost'),
    status: 403,
    code: 'forbidden_origin',
  },
  {
    what: 'two tickets',
    request: { path: '/v1/connect?ticket=a&ticket=b' },
    status: 400,
    code: 'duplicate_param',
  },
  {
    what: 'a ticket of nobody',
    request: { path: '/v1/connect?ticket=a' },
    status: 401,
    code: 'invalid_token',
  },
  {
    what: 'headers of 64 kB',
    request: { headers: { ...key, 'X-Long': 'x'.repeat(65_536) } },
    status: 431,
  },
]

describe('a handshake that is wrong is an HTTP answer, and the connection ends', () => {
  test.each(rows)('$what is $status', async ({ request, status, code }) => {
    const socket = knock(request)
    expect(await socket.untilStatus()).toBe(status)
    await socket.untilEnd()
    if (code !== undefined) expect(JSON.parse(socket.body)).toMatchObject({ status, code })
    expect(socket.body).not.toMatch(/\/src\/|node_modules|at [\w.]+ \(/)
  })
})

test('an origin that is refused is named to the operator, and what to do: the page itself is told nothing [P-6.5]', async () => {
  const origin = `https://${'unlisted.'.repeat(40)}example`
  const socket = knock(from(origin))
  expect(await socket.untilStatus()).toBe(403)
  await socket.untilEnd()
  expect(server.warnings.at(-1)).toEqual({
    event: 'origin.refused',
    origin: origin.slice(0, 200),
    next: expect.stringContaining('ALLOWED_ORIGINS') as string,
  })
})

const SECRET = Buffer.from(TOKEN_SECRET)
const clock = { now: Date.now, after: notUsed, defer: notUsed }
const nowS = (): number => Math.floor(Date.now() / 1000)
const header = { alg: 'HS256', typ: 'heldline+jwt' }

const tokens: readonly { what: string; token: () => Promise<string> | string }[] = [
  { what: 'that is no token', token: () => 'a.b.c' },
  { what: 'that is empty', token: () => '' },
  { what: 'without a signature', token: () => forge({ ...header, alg: 'none' }, claims(clock)) },
  { what: 'with a signature of nothing', token: () => forge(header, claims(clock)) },
  { what: 'of another secret', token: () => sign(claims(clock), {}, Buffer.alloc(32, 'x')) },
  { what: 'that is over', token: () => signed({ iat: nowS() - 700, exp: nowS() - 100 }) },
  { what: 'that does not end', token: () => signed({ exp: undefined }) },
  { what: 'that ends in a week', token: () => signed({ exp: nowS() + 7 * 86_400 }) },
  { what: 'that is of tomorrow', token: () => signed({ iat: nowS() + 3600, exp: nowS() + 7200 }) },
  { what: 'for somebody else', token: () => signed({ aud: 'other' }) },
  { what: 'of nobody', token: () => signed({ sub: undefined }) },
  { what: 'that claims to be a key', token: () => signed({ sub: 'key:agent' }) },
  { what: 'for all sessions', token: () => signed({ sessions: ['*'] }) },
  { what: 'with a right of nobody', token: () => signed({ capabilities: ['root'] }) },
  { what: 'of another kind of token', token: () => sign(claims(clock), { typ: 'at+jwt' }, SECRET) },
  { what: 'that is longer than tokens are', token: () => signed({ pad: 'x'.repeat(5000) }) },
]

describe('a token is refused in the same words, whatever is wrong with it [P-6.1]', () => {
  test.each(tokens)('a token $what', async ({ token }) => {
    const text = await token()
    const shown = Buffer.from(text).toString('base64url')
    const socket = knock(protocol(`heldline.v1, heldline.auth.${shown}`))
    expect(await socket.untilStatus()).toBe(401)
    await socket.untilEnd()
    expect(JSON.parse(socket.body)).toMatchObject({ code: 'invalid_token', detail: SAME_WORDS })

    const late = knock({})
    expect(await late.untilStatus()).toBe(101)
    late.send({ op: 'auth', ref: 'r', token: text })
    const error = await late.untilFrame(({ type }) => type === 'error')
    expect(error).toMatchObject({ ref: 'r', code: 'invalid_token', message: SAME_WORDS })
    expect(await late.untilEnd()).toBe(4401)
  })

  test.each(['Bearer agent:wrong', 'Bearer nobody:x', 'Bearer', 'Digest x', 'Basic !!'])(
    'the header "%s"',
    async (authorization) => {
      const socket = knock({ headers: { Authorization: authorization } })
      expect(await socket.untilStatus()).toBe(401)
      await socket.untilEnd()
      expect(JSON.parse(socket.body)).toMatchObject({ status: 401, detail: SAME_WORDS })
    },
  )
})

describe('who has shown nothing yet [P-6.3]', () => {
  test('is not known by a token in the query: it is never taken', async () => {
    const socket = knock({ path: `/v1/connect?token=${await signed({})}&access_token=x` })
    expect(await socket.untilStatus()).toBe(101)
    socket.send({ op: 'ping', ref: 'r' })
    const error = await socket.untilFrame(({ type }) => type === 'error')
    expect(error).toMatchObject({ ref: 'r', code: 'unauthenticated' })
    expect(await socket.untilEnd()).toBe(4401)
    expect(socket.frames).toHaveLength(1)
  })

  test.each([
    { what: 'an attach', frame: { op: 'attach', ref: 'r', session: 'witness' } },
    {
      what: 'a publish',
      frame: { op: 'publish', ref: 'r', session: 'witness', events: [{ type: 'x.a' }] },
    },
    { what: 'what is not JSON', frame: 'hello' },
  ])('says $what first and is closed with 4401', async ({ frame }) => {
    const socket = knock({})
    await socket.untilStatus()
    socket.send(frame)
    expect(await socket.untilEnd()).toBe(4401)
    expect(socket.frames.map(({ type }) => type)).toEqual(['error'])
  })

  test('has five seconds, then 4408', async () => {
    const socket = knock({})
    expect(await socket.untilStatus()).toBe(101)
    expect(await socket.untilEnd()).toBe(4408)
    expect(socket.frames).toEqual([])
  })

  test('is known by a ticket once, and from its origin alone', async () => {
    const grant: Grant = {
      subject: 'ada',
      kind: 'human',
      sessions: ['mine-*'],
      capabilities: new Set(['subscribe']),
      expiresAt: null,
    }
    const { ticket } = await server.tickets.issue(grant, { origin: ORIGIN })
    const path = `/v1/connect?ticket=${ticket}`
    const socket = knock({ path, headers: { Origin: ORIGIN } })
    expect(await socket.untilStatus()).toBe(101)
    const welcome = await socket.untilFrame(({ type }) => type === 'welcome')
    expect(welcome).toMatchObject({ subject: 'ada' })
    expect(await knock({ path, headers: { Origin: ORIGIN } }).untilStatus()).toBe(401)

    const bound = await server.tickets.issue(grant, { origin: 'https://other.example' })
    const stolen = knock({
      path: `/v1/connect?ticket=${bound.ticket}`,
      headers: { Origin: ORIGIN },
    })
    expect(await stolen.untilStatus()).toBe(401)
  })
})

const SAME_WORDS = 'unable to authenticate; the credentials are missing, wrong or over'

function protocol(offered: string | undefined): Knock {
  return { headers: { 'Sec-WebSocket-Protocol': offered } }
}

function signed(change: Record<string, unknown>): Promise<string> {
  return sign(claims(clock, change), {}, SECRET)
}

function notUsed(): never {
  throw new Error('a token needs the time alone')
}
