import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { HeldlineError, type ErrorCode } from '../../src/protocol/errors.ts'
import type { Store } from '../../src/core/store.ts'
import { KEY, ORIGIN, startHttp, type HttpServer } from './http-server.ts'
import { RawHttp, rawRequest } from './raw-http.ts'

let server: HttpServer
/** What the store throws, when it is set. */
let failure: Error | null = null

beforeAll(async () => {
  server = await startHttp({ around: failing })
  await server.ask('PUT', '/v1/sessions/s1')
})

afterAll(() => server?.close())

function failing(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (failure !== null && name !== 'close') throw failure
        return value.apply(target, args)
      }
    },
  })
}

async function withFailure<T>(error: Error, run: () => Promise<T>): Promise<T> {
  failure = error
  try {
    return await run()
  } finally {
    failure = null
  }
}

const append = () => server.ask('POST', '/v1/sessions/s1/events', { body: { type: 'x.a' } })

describe('[P-8.1] refusals', () => {
  test('what a handler throws by mistake is internal, logged, and not told', async () => {
    const secret = 'db password=hunter2'
    const { status, text, json } = await withFailure(new Error(secret), append)
    expect({ status, code: json.code }).toEqual({ status: 500, code: 'internal' })
    expect(text).not.toContain('hunter2')
    expect(server.errors()).toMatchObject([
      { event: 'http.failed', fields: { requestId: json.requestId, error: { message: secret } } },
    ])
  })

  test.for([
    ['store_unavailable', 503, '5'],
    ['outcome_unknown', 503, '5'],
    ['durability_timeout', 503, '5'],
    ['contention', 503, '5'],
    ['storage_full', 507, '5'],
    ['rate_limited', 429, '5'],
  ] as const)('%s is %i with Retry-After', async ([code, status, after]) => {
    const error = new HeldlineError(code, 'unable to append; not now', { retryAfterMs: 4200 })
    const answered = await withFailure(error, append)
    expect(answered.status).toBe(status)
    expect(answered.headers.get('retry-after')).toBe(after)
    expect(answered.json).toMatchObject({ code, retryable: true, retryAfterMs: 4200 })
  })

  test.for([
    ['QUERY', '/livez', 405],
    ['QUERY', '/v1/sessions/s1/state', 405],
    ['QUERY', '/nope', 404],
    ['PROPFIND', '/v1/sessions', 405],
  ] as const)('%s %s, which no route has, is %i', async ([method, path, status]) => {
    const before = server.errors().length
    const { json } = await server.ask(method, path)
    expect(json.status).toBe(status)
    expect(server.errors()).toHaveLength(before)
  })

  test('facts stand beside the fields of every problem, and never in their place', async () => {
    const facts = { serial: 7, status: 200, code: 'fine', next: 'nothing' }
    const error = new HeldlineError('idempotency_conflict', 'unable to append; no', { facts })
    const { json } = await withFailure(error, append)
    expect(json).toMatchObject({ serial: 7, status: 422, code: 'idempotency_conflict' })
  })

  test('every code has its place in the documentation', async () => {
    const { json } = await server.ask('GET', '/nope')
    const { text } = await server.ask('GET', '/docs', { credential: null })
    const [, anchor] = String(json.type).split('#')
    expect(text).toContain(`id="${anchor}"`)
  })

  test('a key may also come as Basic', async () => {
    const headers = { authorization: `Basic ${Buffer.from(KEY).toString('base64')}` }
    const { status } = await server.ask('GET', '/v1/sessions/s1', { credential: null, headers })
    expect(status).toBe(200)
  })

  test('every failed proof has one answer', async () => {
    const answers = await Promise.all(
      ['agent:wrong', 'nobody:x', 'agent:'].map(async (credential) => {
        const { json } = await server.ask('GET', '/v1/sessions/s1', { credential })
        return { ...json, requestId: '' }
      }),
    )
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  })

  test('what a connection has shown before counts for nothing but the same again', async () => {
    const raw = new RawHttp(server.port)
    onTestFinished(() => raw.close())
    const ask = async (credential: string | undefined): Promise<number> => {
      raw.write(
        rawRequest('GET /v1/sessions/s1', {
          Authorization: credential === undefined ? undefined : `Bearer ${credential}`,
        }),
      )
      return (await raw.answer()).status
    }
    expect(await ask(KEY)).toBe(200)
    expect(await ask(KEY)).toBe(200)
    expect(await ask(`${KEY.slice(0, -1)}x`)).toBe(401)
    expect(await ask(`${KEY}x`)).toBe(401)
    expect(await ask(undefined)).toBe(401)
    expect(await ask(await server.token({ sessions: ['other'] }))).toBe(404)
    expect(await ask(KEY)).toBe(200)
  })

  test('who guesses is slowed down, by address', async () => {
    const addresses: string[] = []
    const refused = new HeldlineError('rate_limited', 'unable to authenticate; too many', {
      retryAfterMs: 9000,
    })
    const attempt = (address: string): Promise<never> => {
      addresses.push(address)
      return Promise.reject(refused)
    }
    const other = await startHttp({ ports: { attempts: { attempt }, trustProxy: ['127.0.0.0/8'] } })
    onTestFinished(() => other.close())
    const { status, headers } = await other.ask('GET', '/v1/sessions/s1', {
      headers: { 'x-forwarded-for': '203.0.113.7' },
    })
    expect({ status, after: headers.get('retry-after') }).toEqual({ status: 429, after: '9' })
    expect(addresses).toEqual(['203.0.113.7'])
  })
})

describe('who may send no more on a connection', () => {
  test.for([
    ['was answered', 'GET /v1/sessions/s1', 200],
    ['was refused', 'GET /v1/sessions/nope', 404],
    ['sent what is not taken', 'POST /v1/sessions', 415],
  ] as const)('and %s is told that it closes', async ([, line, status]) => {
    const other = await startHttp({ httpLimits: { requestsPerSocket: 2 } })
    onTestFinished(() => other.close())
    await other.ask('PUT', '/v1/sessions/s1')
    const raw = new RawHttp(other.port)
    onTestFinished(() => raw.close())
    const headers = { Authorization: `Bearer ${KEY}` }
    raw.write(rawRequest('GET /livez', headers))
    expect((await raw.answer()).headers.get('connection')).toBe('keep-alive')
    const text = status === 415 ? { 'Content-Type': 'text/plain', 'Content-Length': '0' } : {}
    raw.write(rawRequest(line, { ...headers, ...text }))
    const last = await raw.answer()
    expect(last.status).toBe(status)
    expect(last.headers.get('connection')).toBe('close')
  })
})

describe('answers', () => {
  test('are not kept, not guessed at, and have a name', async () => {
    for (const path of ['/v1/sessions/s1', '/nope', '/livez']) {
      const { headers } = await server.ask('GET', path)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-request-id')).toMatch(/^[\w-]+$/)
      expect(headers.get('server')).toBeNull()
    }
  })

  test('an id of a request that the client chooses is not taken', async () => {
    const { headers } = await server.ask('GET', '/livez', {
      headers: { 'request-id': 'mine', 'x-request-id': 'mine' },
    })
    expect(headers.get('x-request-id')).not.toBe('mine')
  })

  test('each is one line of log, with the template of its path and nothing that was sent', async () => {
    const before = server.logged.length
    await server.ask('POST', '/v1/sessions/s1/events', {
      body: { type: 'x.secret', data: 'secret' },
    })
    await server.ask('GET', '/v1/sessions/s1/events?after=secret')
    await server.ask('GET', '/secret?secret=secret')
    await server.ask('GET', '/livez')
    const lines = server.logged.slice(before)
    expect(lines).toMatchObject([
      {
        event: 'http.request',
        fields: { method: 'POST', route: '/v1/sessions/{session}/events', status: 200 },
      },
      {
        event: 'http.request',
        fields: { method: 'GET', route: '/v1/sessions/{session}/events', status: 400 },
      },
      { event: 'http.request', fields: { method: 'GET', route: null, status: 404 } },
    ])
    expect(JSON.stringify(lines)).not.toContain('secret')
    expect(Object.keys(lines[0]?.fields ?? {}).sort()).toEqual([
      'method',
      'ms',
      'requestId',
      'route',
      'status',
    ])
  })
})

describe('browsers of other origins', () => {
  const ask = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'idempotency-key',
  }

  test('[P-6.5] of an allowed origin may read answers and ask before they send', async () => {
    const { headers } = await server.ask('GET', '/v1/sessions/s1', { headers: { origin: ORIGIN } })
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(headers.get('vary')).toBe('Origin')
    expect(headers.get('access-control-expose-headers')).toContain('retry-after')
    expect(headers.get('timing-allow-origin')).toBe(ORIGIN)
    const asked = await server.ask('OPTIONS', '/v1/sessions/s1/events', {
      credential: null,
      headers: { origin: ORIGIN, ...ask },
    })
    expect(asked.status).toBe(204)
    expect(asked.headers.get('access-control-allow-methods')).toContain('POST')
    for (const name of [
      'authorization',
      'content-type',
      'idempotency-key',
      'producer-seq',
      'last-event-id',
      'if-match',
      'if-none-match',
      'run-epoch',
    ]) {
      expect(asked.headers.get('access-control-allow-headers')).toContain(name)
    }
    const refused = await server.ask('GET', '/v1/sessions/none', { headers: { origin: ORIGIN } })
    expect(refused.headers.get('access-control-allow-origin')).toBe(ORIGIN)
  })

  test.for([
    `${ORIGIN}.evil.example`,
    'https://evil.example',
    'null',
    `${ORIGIN}/`,
    ORIGIN.replace('https', 'http'),
  ])('of %s may not', async (origin) => {
    const { headers } = await server.ask('GET', '/v1/sessions/s1', { headers: { origin } })
    expect(headers.get('access-control-allow-origin')).toBeNull()
    expect(headers.get('timing-allow-origin')).toBeNull()
    const asked = await server.ask('OPTIONS', '/v1/sessions/s1', {
      credential: null,
      headers: { origin, ...ask },
    })
    expect(asked.json.code satisfies ErrorCode).toBe('forbidden_origin')
    expect(asked.headers.get('access-control-allow-origin')).toBeNull()
    // Its page cannot read that: it stands in the log.
    expect(server.logged).toContainEqual({
      level: 'warn',
      event: 'origin.refused',
      fields: { origin, next: expect.stringContaining('ALLOWED_ORIGINS') as string },
    })
  })
})
