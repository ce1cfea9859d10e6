import { exportJWK, generateKeyPair } from 'jose'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { KeySet } from '../../src/auth/key-set.ts'
import { refusalReason } from '../../src/auth/refusal.ts'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import { Secret } from '../../src/core/secret.ts'
import { claims, forge, refused, SECRET_TEXT, secret, sign, silent, TestClock } from './kit.ts'

let clock: TestClock
let tokens: TokenVerifier
beforeEach(() => {
  clock = new TestClock()
  tokens = new TokenVerifier({ secret, keySet: null, issuer: null, clock })
})

const MINUTE_S = 60
const HOUR_S = 60 * MINUTE_S

describe('a token [P-6.1]', () => {
  test('grants what it says, and no more', async () => {
    const token = await sign(claims(clock, { kind: 'supervisor', name: 'Ada', jti: 'j', other: 1 }))
    const grant = await tokens.verify(token)
    expect(grant).toEqual({
      subject: 'ada',
      kind: 'supervisor',
      name: 'Ada',
      sessions: ['chat-*'],
      capabilities: new Set(['subscribe', 'send']),
      expiresAt: clock.time + 600_000,
      token: { jti: 'j', issuedAt: clock.time },
    })
  })

  test('is a human where it says nothing [P-5.1]', async () => {
    expect((await tokens.verify(await sign(claims(clock)))).kind).toBe('human')
  })

  test('may have a list of audiences that holds ours', async () => {
    const token = await sign(claims(clock, { aud: ['other', 'heldline'] }))
    expect((await tokens.verify(token)).subject).toBe('ada')
  })

  const now = Math.floor(new TestClock().time / 1000)
  test.each<[string, Record<string, unknown>]>([
    ['without sub', { sub: undefined }],
    ['without iat', { iat: undefined }],
    ['without exp', { exp: undefined }],
    ['without aud', { aud: undefined }],
    ['without iss', { iss: undefined }],
    ['without sessions', { sessions: undefined }],
    ['without capabilities', { capabilities: undefined }],
    ['for another audience', { aud: 'other' }],
    ['of an empty subject', { sub: '' }],
    ['of a subject that is a number', { sub: 7 }],
    ['of a key’s subject', { sub: 'key:main' }],
    ['of a subject that writes into logs', { sub: 'ada\nroot' }],
    ['of a subject with half a character', { sub: 'ada\ud800' }],
    ['of a subject that is too long', { sub: 'a'.repeat(257) }],
    ['for the bare star', { sessions: ['*'] }],
    ['for no session', { sessions: [] }],
    ['for a pattern with a star inside', { sessions: ['a*b'] }],
    ['for an internal session', { sessions: ['~tickets-*'] }],
    ['for sessions that are one text', { sessions: 'chat-*' }],
    ['for a capability that nobody knows', { capabilities: ['subscribe', 'root'] }],
    ['for capabilities by another name of Object', { capabilities: ['constructor'] }],
    ['of a kind that nobody knows', { kind: 'any' }],
    ['for more than a day', { exp: now + 24 * HOUR_S + 1 }],
    ['from the future', { iat: now + 31, exp: now + 600 }],
    ['not valid before a while', { nbf: now + 31 }],
    ['with times that are text', { exp: String(now + 600) }],
  ])('%s is refused', async (_, change) => {
    const token = await sign(claims(clock, change))
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe('claims')
  })

  test('of a clock that is a little ahead is taken', async () => {
    const token = await sign(claims(clock, { iat: now + 29, nbf: now + 29 }))
    expect((await tokens.verify(token)).subject).toBe('ada')
  })

  test('of a whole day is taken', async () => {
    const token = await sign(claims(clock, { exp: now + 24 * HOUR_S }))
    expect((await tokens.verify(token)).subject).toBe('ada')
  })

  test.each([0, -1, -29, -HOUR_S])('that ended at %i s is over', async (offset) => {
    const token = await sign(claims(clock, { iat: now - 2 * HOUR_S, exp: now + offset }))
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe('expired')
  })
})

describe('a forged token', () => {
  test.each<[string, () => string | Promise<string>, string]>([
    [
      'of no algorithm',
      () => forge({ alg: 'none', typ: 'heldline+jwt' }, claims(clock)),
      'algorithm',
    ],
    [
      'of no algorithm, in capitals',
      () => forge({ alg: 'NONE', typ: 'heldline+jwt' }, claims(clock)),
      'algorithm',
    ],
    [
      'of a stronger algorithm',
      () => sign(claims(clock), { alg: 'HS512' }, Buffer.from(SECRET_TEXT.repeat(2))),
      'algorithm',
    ],
    [
      'of an algorithm for public keys',
      () => forge({ alg: 'RS256', typ: 'heldline+jwt' }, claims(clock), 'AAAA'),
      'algorithm',
    ],
    [
      'signed with another secret',
      () => sign(claims(clock), {}, Buffer.from('x'.repeat(40))),
      'signature',
    ],
    [
      'without a signature',
      () => forge({ alg: 'HS256', typ: 'heldline+jwt' }, claims(clock)),
      'signature',
    ],
    ['of another type', () => sign(claims(clock), { typ: 'JWT' }), 'claims'],
    ['without a type', () => sign(claims(clock), { typ: undefined }), 'claims'],
    [
      'with a critical header',
      () => forge({ alg: 'HS256', typ: 'heldline+jwt', crit: ['x'], x: 1 }, claims(clock)),
      'malformed',
    ],
    [
      'with an empty critical header',
      () => forge({ alg: 'HS256', typ: 'heldline+jwt', crit: [] }, claims(clock)),
      'malformed',
    ],
    ['of one part', () => 'abc', 'malformed'],
    ['of five parts', () => 'a.b.c.d.e', 'malformed'],
    ['of nothing', () => '', 'malformed'],
    ['of garbage', () => '\u0000.\ud800.💥', 'malformed'],
    ['that is too large', () => sign(claims(clock, { x: 'a'.repeat(4096) })), 'too_large'],
  ])('%s is refused', async (_, make, reason) => {
    const token = await make()
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe(reason)
  })

  test('with a changed claim is refused', async () => {
    const [header = '', , signature = ''] = (await sign(claims(clock))).split('.')
    const payload = Buffer.from(JSON.stringify(claims(clock, { sub: 'eve' }))).toString('base64url')
    const token = `${header}.${payload}.${signature}`
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe('signature')
  })

  test('any changed byte of a good token is refused', async () => {
    const token = await sign(claims(clock))
    // But for the very last, whose low bits mean nothing.
    for (let i = 0; i < token.length - 1; i += 7) {
      const other = token[i] === 'A' ? 'B' : 'A'
      await refused(tokens.verify(token.slice(0, i) + other + token.slice(i + 1)), token)
    }
  })
})

test('another issuer is refused where one is set', async () => {
  const strict = new TokenVerifier({ secret, keySet: null, issuer: 'app', clock })
  expect((await strict.verify(await sign(claims(clock)))).subject).toBe('ada')
  const token = await sign(claims(clock, { iss: 'other' }))
  expect(refusalReason(await refused(strict.verify(token), token))).toBe('claims')
})

test('while the secret is replaced, tokens of both are good, and of no other', async () => {
  const other = new Secret('another-canary-of-at-least-32-bytes!')
  const both = new TokenVerifier({
    secret: other,
    accepted: secret,
    keySet: null,
    issuer: null,
    clock,
  })
  const made = (by: Secret): Promise<string> => sign(claims(clock), {}, Buffer.from(by.reveal()))
  expect((await both.verify(await made(secret))).subject).toBe('ada')
  expect((await both.verify(await made(other))).subject).toBe('ada')
  const token = await made(new Secret('a-third-canary-of-at-least-32-bytes!'))
  expect(refusalReason(await refused(both.verify(token), token))).toBe('signature')
  const over = await sign(claims(clock, { iat: 1, exp: 2 }))
  expect(refusalReason(await refused(both.verify(over), over))).toBe('expired')
})

describe('what was verified', () => {
  test('is remembered until it ends', async () => {
    const token = await sign(claims(clock))
    const first = await tokens.verify(token)
    expect(await tokens.verify(token)).toBe(first)
    clock.time += 600_000
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe('expired')
  })

  test('is forgotten when others were used later', async () => {
    const small = new TokenVerifier({ secret, keySet: null, issuer: null, clock, maxCached: 2 })
    const [a = '', b = '', c = ''] = await Promise.all(
      ['a', 'b', 'c'].map((sub) => sign(claims(clock, { sub }))),
    )
    const [first, second] = [await small.verify(a), await small.verify(b)]
    expect(await small.verify(a)).toBe(first)
    await small.verify(c)
    expect(await small.verify(a)).toBe(first)
    expect(await small.verify(b)).not.toBe(second)
  })

  test('does not hold what was refused', async () => {
    const token = await sign(claims(clock, { nbf: Math.floor(clock.time / 1000) + 60 }))
    await refused(tokens.verify(token), token)
    clock.time += 40_000
    expect((await tokens.verify(token)).subject).toBe('ada')
  })
})

describe('a key set', () => {
  type Signer = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

  async function issuer(...algorithms: string[]) {
    const pairs = await Promise.all(
      algorithms.map((alg) => generateKeyPair(alg, { extractable: true })),
    )
    const keys = await Promise.all(
      pairs.map(async ({ publicKey }, i) => ({ ...(await exportJWK(publicKey)), kid: `k${i}` })),
    )
    const signers: readonly Signer[] = pairs.map(({ privateKey }) => privateKey)
    return { keys, signers }
  }

  function verifier(answer: () => unknown, withSecret = false) {
    const get = vi.fn(async () => Response.json(answer()))
    const keySet = new KeySet({
      url: 'https://keys.example.com/jwks',
      clock,
      log: silent,
      fetch: get,
    })
    return {
      get,
      verifier: new TokenVerifier({
        secret: withSecret ? secret : null,
        keySet,
        issuer: null,
        clock,
      }),
    }
  }

  test.each(['EdDSA', 'ES256', 'RS256'])('verifies %s', async (alg) => {
    const { keys, signers } = await issuer(alg)
    const { verifier: tokens, get } = verifier(() => ({ keys }))
    const token = await sign(claims(clock), { alg, kid: 'k0' }, signers[0])
    expect((await tokens.verify(token)).subject).toBe('ada')
    await tokens.verify(await sign(claims(clock, { sub: 'bob' }), { alg, kid: 'k0' }, signers[0]))
    expect(get).toHaveBeenCalledOnce()
    expect(get).toHaveBeenCalledWith(
      'https://keys.example.com/jwks',
      expect.objectContaining({ redirect: 'error' }),
    )
  })

  test('with the secret beside it, each takes only its own algorithms', async () => {
    const { keys, signers } = await issuer('RS256')
    const { verifier: tokens } = verifier(() => ({ keys }), true)
    expect((await tokens.verify(await sign(claims(clock)))).subject).toBe('ada')
    // The classic confusion: the public key's text as the secret of an HMAC.
    const token = await sign(claims(clock), {}, Buffer.from(JSON.stringify(keys[0])))
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe('signature')
    expect(
      (
        await tokens.verify(
          await sign(claims(clock, { sub: 'bob' }), { alg: 'RS256', kid: 'k0' }, signers[0]),
        )
      ).subject,
    ).toBe('bob')
  })

  test('never verifies HS256 by itself, not even with a symmetric key of the set', async () => {
    const k = Buffer.from(SECRET_TEXT).toString('base64url')
    const { verifier: tokens } = verifier(() => ({ keys: [{ kty: 'oct', k, kid: 'k0' }] }))
    for (const alg of ['HS256', 'RS256', 'EdDSA']) {
      const token = forge({ alg, typ: 'heldline+jwt', kid: 'k0' }, claims(clock), 'AAAA')
      await refused(tokens.verify(token), token)
    }
  })

  test('refuses a key of RSA that is too short', async () => {
    const jwk = {
      kty: 'RSA',
      n: Buffer.alloc(128, 0xc5).toString('base64url'),
      e: 'AQAB',
      kid: 'k0',
    }
    const { verifier: tokens } = verifier(() => ({ keys: [jwk] }))
    const token = forge({ alg: 'RS256', typ: 'heldline+jwt', kid: 'k0' }, claims(clock), 'AAAA')
    await refused(tokens.verify(token), token)
  })

  test('ignores an address of keys that the token brings', async () => {
    const { keys } = await issuer('ES256')
    const evil = await issuer('ES256')
    const { verifier: tokens, get } = verifier(() => ({ keys }))
    const header = {
      alg: 'ES256',
      kid: 'https://evil.example.com',
      jku: 'https://evil.example.com',
      jwk: evil.keys[0],
    }
    const token = await sign(claims(clock), header, evil.signers[0])
    expect(refusalReason(await refused(tokens.verify(token), token))).toBe('retired_key')
    expect(get.mock.calls.every((call) => JSON.stringify(call).includes('keys.example.com'))).toBe(
      true,
    )
  })

  test('is fetched again for a key that it does not have, but not at every token', async () => {
    const { keys, signers } = await issuer('ES256', 'ES256')
    let served = keys.slice(0, 1)
    const { verifier: tokens, get } = verifier(() => ({ keys: served }))
    const token = await sign(claims(clock), { alg: 'ES256', kid: 'k1' }, signers[1])
    for (let i = 0; i < 5; i++) await refused(tokens.verify(token), token)
    expect(get).toHaveBeenCalledTimes(1)
    served = keys
    clock.time += 31_000
    expect((await tokens.verify(token)).subject).toBe('ada')
    expect(get).toHaveBeenCalledTimes(2)
  })

  test('serves on with old keys while it cannot be fetched', async () => {
    const { keys, signers } = await issuer('ES256')
    let broken = false
    const { verifier: tokens, get } = verifier(() => {
      if (broken) throw new Error('down')
      return { keys }
    })
    const token = (sub: string) =>
      sign(claims(clock, { sub }), { alg: 'ES256', kid: 'k0' }, signers[0])
    await tokens.verify(await token('a'))
    broken = true
    clock.time += 11 * 60_000
    expect((await tokens.verify(await token('b'))).subject).toBe('b')
    expect((await tokens.verify(await token('c'))).subject).toBe('c')
    expect(get).toHaveBeenCalledTimes(2)
  })

  test('that was never fetched is our mistake, not the token’s', async () => {
    const { signers } = await issuer('ES256')
    const { verifier: tokens, get } = verifier(() => {
      throw new Error('down')
    })
    const token = await sign(claims(clock), { alg: 'ES256', kid: 'k0' }, signers[0])
    for (let i = 0; i < 3; i++) {
      await expect(tokens.verify(token)).rejects.toMatchObject({
        code: 'internal',
        retryAfterMs: 30_000,
      })
    }
    expect(get).toHaveBeenCalledOnce()
  })

  test('that is too large, or is none, is not taken', async () => {
    const { keys, signers } = await issuer('ES256')
    for (const answer of [
      { keys, padding: 'x'.repeat(300_000) },
      { keys: 'none' },
      { keys: [1] },
      null,
    ]) {
      const { verifier: tokens } = verifier(() => answer)
      const token = await sign(claims(clock), { alg: 'ES256', kid: 'k0' }, signers[0])
      await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'internal' })
    }
  })

  test('a key that left it is not trusted for long', async () => {
    const { keys, signers } = await issuer('ES256')
    let served = keys
    const { verifier: tokens } = verifier(() => ({ keys: served }))
    const token = await sign(
      claims(clock, { exp: Math.floor(clock.time / 1000) + 12 * HOUR_S }),
      { alg: 'ES256', kid: 'k0' },
      signers[0],
    )
    await tokens.verify(token)
    served = []
    clock.time += 10 * 60_000 + 1
    // The old keys serve once more, while the new ones are on their way.
    await tokens.verify(token)
    clock.time += 10 * 60_000 + 1
    await refused(tokens.verify(token), token)
  })
})
