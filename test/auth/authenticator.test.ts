import { describe, expect, test } from 'vitest'
import { ApiKeys } from '../../src/auth/api-keys.ts'
import { CredentialAuthenticator } from '../../src/auth/authenticator.ts'
import { BruteForce } from '../../src/auth/brute-force.ts'
import { originRule } from '../../src/auth/origins.ts'
import { refusal } from '../../src/auth/refusal.ts'
import { Tickets } from '../../src/auth/tickets.ts'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import { claims, keyGrant, personGrant, refused, secret, sign, TestClock } from './kit.ts'

const clock = new TestClock()
const now = (): number => clock.time
const tickets = new Tickets(new MemoryStore(new LocalSignals(), now), new SystemRandom(), now)
const authenticator = new CredentialAuthenticator({
  keys: new ApiKeys([{ id: 'main', secret }]),
  tokens: new TokenVerifier({ secret, keySet: null, issuer: null, clock }),
  tickets,
})

describe('credentials', () => {
  test('are a key, a token or a ticket', async () => {
    expect((await authenticator.authenticate(`main:${secret.reveal()}`)).subject).toBe('key:main')
    expect((await authenticator.authenticate(await sign(claims(clock)))).subject).toBe('ada')
    const { ticket } = await tickets.issue(keyGrant, { origin: null })
    expect(await authenticator.redeem(ticket, null)).toEqual(keyGrant)
  })

  test('are refused with one text, whatever was wrong', async () => {
    const expired = await sign(claims(clock, { iat: 1, exp: 2 }))
    for (const shown of ['main:wrong', 'nobody:canary', 'no token', '', expired]) {
      await refused(authenticator.authenticate(shown), shown)
    }
    await refused(authenticator.redeem('no-ticket', null), 'no-ticket')
  })

  test('a ticket is no token, and a token is no ticket', async () => {
    const { ticket } = await tickets.issue(keyGrant, { origin: null })
    await refused(authenticator.authenticate(ticket), ticket)
    const token = await sign(claims(clock))
    await refused(authenticator.redeem(token, null), token)
  })
})

describe('who guesses', () => {
  const wrong = async (): Promise<never> => {
    throw refusal('unauthenticated', 'wrong_secret')
  }
  const good = async () => personGrant
  const limited = { code: 'rate_limited' }

  async function fail(
    guard: BruteForce,
    address: string,
    times: number,
    attempt = wrong,
  ): Promise<void> {
    for (let i = 0; i < times; i++) {
      await expect(guard.attempt(address, attempt)).rejects.toMatchObject({
        code: 'unauthenticated',
      })
    }
  }

  /** One that fails. */
  const slowed = (guard: BruteForce, address: string, more = {}): Promise<void> =>
    expect(guard.attempt(address, wrong)).rejects.toMatchObject({ ...limited, ...more })

  test('is told to wait after ten failures in a minute, and others are not [P-6.7]', async () => {
    const time = new TestClock()
    const guard = new BruteForce(time)
    await fail(guard, '192.0.2.1', 10)
    time.time += 20_000
    await slowed(guard, '192.0.2.1', { retryAfterMs: 40_000 })
    await slowed(guard, '::ffff:192.0.2.1')
    await fail(guard, '192.0.2.2', 1)
    time.time += 40_000
    await fail(guard, '192.0.2.1', 10)
    await slowed(guard, '192.0.2.1', { retryAfterMs: 60_000 })
  })

  test('keeps nobody out who has the same address, and knows [P-6.7]', async () => {
    const guard = new BruteForce(new TestClock())
    await fail(guard, '192.0.2.1', 10)
    await slowed(guard, '192.0.2.1')
    expect(await guard.attempt('192.0.2.1', good)).toBe(personGrant)
    await slowed(guard, '192.0.2.1')
  })

  test('is known by the network of an IPv6 address', async () => {
    const guard = new BruteForce(new TestClock())
    for (let i = 0; i < 10; i++) await fail(guard, `2001:db8::1:${i}`, 1)
    await slowed(guard, '2001:0db8:0:0:ffff::1')
    await fail(guard, '2001:db8:0:1::1', 1)
    await fail(guard, '::1', 1)
  })

  test.for(['expired', 'revoked', 'signature', 'retired_key', 'ticket', 'origin'] as const)(
    'is not who shows what may have been good once: %s [P-6.7]',
    async (reason) => {
      const guard = new BruteForce(new TestClock())
      const over = async (): Promise<never> => {
        throw refusal('unauthenticated', reason)
      }
      await fail(guard, '192.0.2.1', 50, over)
      await fail(guard, '192.0.2.1', 10)
      await slowed(guard, '192.0.2.1')
      await fail(guard, '192.0.2.1', 1, over)
    },
  )

  test('is not who fails by our mistake', async () => {
    const guard = new BruteForce(new TestClock())
    const bug = async (): Promise<never> => {
      throw new Error('a bug')
    }
    for (let i = 0; i < 20; i++)
      await expect(guard.attempt('192.0.2.1', bug)).rejects.toThrow('a bug')
    await fail(guard, '192.0.2.1', 1)
  })

  test('is remembered within a bound', async () => {
    const guard = new BruteForce(new TestClock(), { maxAddresses: 2 })
    await fail(guard, '192.0.2.1', 10)
    await fail(guard, '192.0.2.2', 10)
    await fail(guard, '192.0.2.3', 10)
    await slowed(guard, '192.0.2.2')
    await slowed(guard, '192.0.2.3')
    await fail(guard, '192.0.2.1', 1)
  })
})

describe('an origin [P-6.5]', () => {
  const evil = [
    'https://evil.example.com',
    'https://app.example.com.evil.com',
    'https://app.example.com:8443',
    'http://app.example.com',
    'https://app.example.com/',
    'https://APP.example.com',
    'null',
    '',
  ]

  test('is allowed when it is listed, exactly', () => {
    for (const production of [true, false]) {
      const allows = originRule(['https://app.example.com'], production)
      expect(allows('https://app.example.com')).toBe(true)
      for (const origin of [...evil, 'http://localhost:3000']) expect(allows(origin)).toBe(false)
    }
  })

  test('of this machine is allowed outside production where none is listed', () => {
    const allows = originRule([], false)
    for (const origin of [
      'http://localhost:3000',
      'https://localhost',
      'http://127.0.0.1:4400',
      'http://[::1]:1',
    ]) {
      expect(allows(origin)).toBe(true)
      expect(originRule([], true)(origin)).toBe(false)
    }
    for (const origin of [
      ...evil,
      'http://localhost.evil.com',
      'http://localhost:3000.evil.com',
      'http://localhost:',
    ]) {
      expect(allows(origin)).toBe(false)
    }
  })
})
