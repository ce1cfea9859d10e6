import { describe, expect, test, vi } from 'vitest'
import type { Log } from '../../src/core/log.ts'
import { Secret } from '../../src/core/secret.ts'
import { createLog } from '../../src/observe/log.ts'
import { quietLog } from '../../src/observe/quiet-log.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { TestClock } from '../auth/kit.ts'

function recorder(level: 'debug' | 'info' | 'warn' | 'error' | 'silent' = 'info') {
  const lines: string[] = []
  const log = createLog({ level, destination: { write: (line) => lines.push(line) } })
  const last = (): Record<string, unknown> =>
    JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown>
  return { log, lines, last }
}

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ'

describe('a line', () => {
  test('is one JSON object with the time, the level, the event and its fields', () => {
    const { log, lines, last } = recorder()
    log.warn('hub.verify_failed', {
      session: 's-1',
      feeds: 3,
      ok: false,
      none: null,
      list: [1, 'a'],
    })
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^\{.*\}\n$/)
    expect(last()).toMatchObject({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      event: 'hub.verify_failed',
      session: 's-1',
      feeds: 3,
      ok: false,
      none: null,
      list: [1, 'a'],
    })
  })

  test('comes from its level up', () => {
    const { log, lines } = recorder('warn')
    log.info('a')
    log.warn('b')
    log.error('c')
    expect(lines.map((line) => /"event":"(.)"/.exec(line)?.[1])).toEqual(['b', 'c'])
    const silent = recorder('silent')
    silent.log.error('a')
    expect(silent.lines).toEqual([])
  })

  test('holds no name twice, whatever a field is called', () => {
    const { log, lines, last } = recorder()
    log.info('true.event', { event: 'x', level: 'x', time: 'x', pid: 'x' })
    expect(lines[0]?.match(/"(event|level|time|pid)":/g)).toHaveLength(4)
    expect(last()).toMatchObject({ event: 'true.event', level: 'info', event_: 'x' })
  })

  test('is written even where a field throws', () => {
    const { log, last } = recorder()
    const trap = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('canary')
      },
    })
    log.error('a.trap', { trap })
    expect(last()).toMatchObject({ event: 'a.trap', unloggable: true })
  })

  test('is bounded', () => {
    const { log, lines } = recorder()
    const deep: Record<string, unknown> = {}
    deep['self'] = deep
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i]))
    log.info('big', {
      long: 'x'.repeat(100_000),
      deep,
      wide,
      list: Array.from({ length: 5000 }, () => 'y'),
    })
    expect(lines[0]?.length).toBeLessThan(4000)
  })
})

describe('what a log never holds', () => {
  const secrets: [string, Record<string, unknown>][] = [
    ['a token by its name', { token: 'canary' }],
    ['a secret deep inside', { a: { b: { clientSecret: 'canary' } } }],
    ['a header', { headers: { authorization: 'Bearer canary', cookie: 'canary' } }],
    ['a payload', { data: { text: 'canary' }, payload: 'canary', body: 'canary' }],
    ['a token in a text', { detail: `refused ${TOKEN}` }],
    ['a bearer in a text', { detail: 'sent Authorization: Bearer canary' }],
    ['a token of a subprotocol', { offered: `heldline.v1, heldline.auth.Y2FuYXJ5Y2FuYXJ5` }],
    ['a query', { url: '/v1/connect?ticket=canary&x=1' }],
    ['a password of an address', { url: 'redis://user:canary@redis:6379' }],
    [
      'a Secret',
      { apiKey: new Secret('canary'), other: new Secret('canary'), list: [new Secret('canary')] },
    ],
    [
      'an instance of a class',
      {
        request: new (class Request {
          readonly headers = { x: 'canary' }
        })(),
      },
    ],
    ['bytes', { bytes: Buffer.from('canary') }],
    ['a map', { map: new Map([['canary', 'canary']]) }],
    ['a parser’s quote', { error: thrownBy(() => JSON.parse('canary and more')) }],
    [
      'a parser’s long quote',
      { error: thrownBy(() => JSON.parse(`{"a":"${'x'.repeat(50)}", canary}`)) },
    ],
    ['a cause', { error: new Error('outer', { cause: new Error(`bad ${TOKEN}`) }) }],
    ['arguments of a command', { error: redisError('ERR failed') }],
    [
      'what Redis quotes',
      { error: redisError("ERR unknown command 'x', with args beginning with: 'canary'") },
    ],
    [
      'properties of an error',
      { error: Object.assign(new Error('x'), { response: 'canary', config: { auth: 'canary' } }) },
    ],
  ]

  function thrownBy(action: () => unknown): unknown {
    try {
      return action()
    } catch (error) {
      return error
    }
  }

  function redisError(message: string): Error {
    const command = { name: 'evalsha', args: ['canary', 'canary'] }
    return Object.assign(new Error(message), { name: 'ReplyError', command })
  }

  test.each(secrets)('%s', (_, fields) => {
    const { log, lines } = recorder()
    log.error('a.thing', fields)
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('canary')
    expect(lines[0]).not.toContain('Y2FuYXJ5')
    expect(lines[0]).not.toContain('c2lnbmF0dXJl')
  })

  test('a number is no secret, whatever its name', () => {
    const { log, last } = recorder()
    log.info('a.count', { tokens: 5, maxPayloadBytes: 10 })
    expect(last()).toMatchObject({ tokens: 5, maxPayloadBytes: 10 })
  })
})

describe('an error in a line', () => {
  test('says what it is, where it came from and what caused it', () => {
    const { log, last } = recorder()
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: '127.0.0.1',
      port: 6379,
    })
    const error = new HeldlineError('store_unavailable', 'unable to append; the store is away', {
      cause,
      facts: { attempt: 2 },
    })
    log.error('append.failed', { error })
    expect(last()['error']).toMatchObject({
      type: 'HeldlineError',
      code: 'store_unavailable',
      message: 'unable to append; the store is away',
      facts: { attempt: 2 },
      stack: expect.arrayContaining([expect.stringContaining('log.test.ts')]),
      cause: { type: 'Error', code: 'ECONNREFUSED', syscall: 'connect', port: 6379 },
    })
  })

  test('has a stack without the lines of its message', () => {
    const { log, lines } = recorder()
    const error = new Error('refused')
    Object.defineProperty(error, 'message', { value: 'x\n    at canary (file.ts:1:1)' })
    error.stack = `Error: ${error.message}\n    at here (log.test.ts:1:1)`
    log.error('a', { error })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      error: { stack: ['at here (log.test.ts:1:1)'] },
    })
  })

  test('names the command of the store, and holds all of many', () => {
    const { log, last } = recorder()
    const one = Object.assign(new Error('x'), { command: { name: 'xadd', args: [] } })
    log.error('a', { error: new AggregateError([one, 'two'], 'all failed') })
    expect(last()['error']).toMatchObject({
      message: 'all failed',
      errors: [{ command: 'xadd' }, 'two'],
    })
  })
})

test.each([
  ['a new line', 'a\nlevel=error', 'a\\u000alevel=error'],
  ['a terminal’s escape', '\u001b[2J', '\\u001b[2J'],
  ['the other controls', '\u007f\u009b\u2028', '\\u007f\\u009b\\u2028'],
  ['what turns text around', 'a\u202eb', 'a\\u202eb'],
  ['half of a character', 'a\ud800b', 'a\ufffdb'],
])('%s in a text is made visible', (_, text, shown) => {
  const { log, last, lines } = recorder()
  log.info('a', { name: text, [text]: 1 })
  expect(last()['name']).toBe(shown)
  expect(last()[shown]).toBe(1)
  expect(lines[0]?.split('\n')).toHaveLength(2)
})

describe('a warning that repeats', () => {
  const spies = () => ({
    info: vi.fn<Log['info']>(),
    warn: vi.fn<Log['warn']>(),
    error: vi.fn<Log['error']>(),
  })

  test('is one line in ten seconds, and the next says how many there were', () => {
    const clock = new TestClock()
    const inner = spies()
    const log = quietLog(inner, clock)
    for (let i = 0; i < 5; i++) log.warn('store.down', { i })
    expect(inner.warn.mock.calls).toEqual([['store.down', { i: 0 }]])
    clock.time += 10_000
    log.warn('store.down', { i: 5 })
    log.warn('store.down', { i: 6 })
    expect(inner.warn.mock.calls.slice(1)).toEqual([['store.down', { i: 5, repeated: 4 }]])
  })

  test('is written again where the clock was set back since: whoever looks must not see an hour of peace', () => {
    const clock = new TestClock()
    const inner = spies()
    const log = quietLog(inner, clock)
    for (let i = 0; i < 5; i++) log.warn('store.down', { i })
    clock.time -= 3_600_000
    for (let i = 5; i < 8; i++) log.warn('store.down', { i })
    expect(inner.warn.mock.calls.slice(1)).toEqual([['store.down', { i: 5, repeated: 4 }]])
  })

  test('is not the same with another event, level or code; and what is info always passes', () => {
    const inner = spies()
    const log = quietLog(inner, new TestClock())
    log.warn('a', { error: new HeldlineError('internal', 'x') })
    log.warn('a', { error: new HeldlineError('contention', 'x') })
    log.warn('b')
    log.error('b')
    log.info('c')
    log.info('c')
    expect(inner.warn).toHaveBeenCalledTimes(3)
    expect(inner.error).toHaveBeenCalledTimes(1)
    expect(inner.info).toHaveBeenCalledTimes(2)
  })

  test('is remembered within a bound', () => {
    const inner = spies()
    const log = quietLog(inner, new TestClock())
    for (let i = 0; i <= 1000; i++) log.warn(`event.${i}`)
    log.warn('event.1000')
    log.warn('event.0')
    expect(inner.warn).toHaveBeenCalledTimes(1002)
  })
})
