import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Grant } from '../../src/core/access.ts'
import { TokenMint, type TokenRequest } from '../../src/auth/mint.ts'
import { commonPatterns, covers } from '../../src/auth/patterns.ts'
import { TokenVerifier } from '../../src/auth/tokens.ts'
import { matchesPattern } from '../../src/protocol/capabilities.ts'
import { keyGrant, personGrant, secret, TestClock } from './kit.ts'

const clock = new TestClock()
const mint = new TokenMint(secret, null, clock)
const tokens = new TokenVerifier({ secret, keySet: null, issuer: null, clock })

const request = (change: Partial<TokenRequest> = {}): TokenRequest => ({
  subject: 'ada',
  sessions: ['chat-*'],
  capabilities: ['subscribe'],
  ttlMs: 60_000,
  ...change,
})

describe('a minted token [P-9.7]', () => {
  test('is verified, and grants what was asked for', async () => {
    const asked = request({ kind: 'supervisor', name: 'Ada' })
    const minted = await mint.mint(keyGrant, asked)
    expect(await tokens.verify(minted.token)).toEqual({
      subject: 'ada',
      kind: 'supervisor',
      name: 'Ada',
      sessions: ['chat-*'],
      capabilities: new Set(['subscribe']),
      expiresAt: minted.expiresAt,
      token: { jti: minted.jti, issuedAt: clock.time },
    })
    expect(minted.jti).toMatch(/^[0-9a-f-]{36}$/)
    expect(minted.expiresAt).toBe(clock.time + 60_000)
  })

  test('lasts a day at most, and that long', async () => {
    const minted = await mint.mint(keyGrant, request({ ttlMs: 24 * 60 * 60 * 1000 }))
    expect((await tokens.verify(minted.token)).expiresAt).toBe(clock.time + 24 * 60 * 60 * 1000)
  })

  test('never has more than its minter: sessions, capabilities, kind and end', async () => {
    const asked = request({
      sessions: ['chat-1-*', 'room-*', 'other'],
      capabilities: ['publish', 'send', 'subscribe', 'manage'],
      ttlMs: 24 * 60 * 60 * 1000,
    })
    const minted = await mint.mint(personGrant, asked)
    expect(minted).toMatchObject({
      sessions: ['chat-1-*', 'room-1'],
      capabilities: ['send', 'subscribe'],
      kind: 'human',
      expiresAt: personGrant.expiresAt,
    })
  })

  test.each<[string, Grant, Partial<TokenRequest>]>([
    ['by who may not', { ...personGrant, capabilities: new Set(['subscribe']) }, {}],
    ['for somebody else', personGrant, { subject: 'bob' }],
    ['of another kind', personGrant, { kind: 'agent' }],
    ['for sessions out of reach', personGrant, { sessions: ['other-*'] }],
    ['for capabilities that the minter has not', personGrant, { capabilities: ['manage'] }],
  ])('%s is forbidden', async (_, minter, change) => {
    await expect(mint.mint(minter, request(change))).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('that nobody could show is refused', async () => {
    const sessions = Array.from({ length: 100 }, (_, i) => `${'s'.repeat(100)}-${i}`)
    await expect(mint.mint(keyGrant, request({ sessions }))).rejects.toMatchObject({
      code: 'payload_too_large',
    })
  })

  test('is not made by a server without a secret', async () => {
    const none = new TokenMint(null, null, clock)
    await expect(none.mint(keyGrant, request())).rejects.toMatchObject({ code: 'not_found' })
  })

  test('carries the issuer that is set', async () => {
    const minted = await new TokenMint(secret, 'app', clock).mint(keyGrant, request())
    const strict = new TokenVerifier({ secret, keySet: null, issuer: 'app', clock })
    expect((await strict.verify(minted.token)).subject).toBe('ada')
  })

  test.each<[string, Record<string, unknown>]>([
    ['a bare star', { sessions: ['*'] }],
    ['no sessions', { sessions: [] }],
    ['more than a day', { ttlMs: 24 * 60 * 60 * 1000 + 1 }],
    ['no time', { ttlMs: 0 }],
    ['half a millisecond', { ttlMs: 1500.5 }],
    ['a key’s subject', { subject: 'key:main' }],
    ['any kind', { kind: 'any' }],
    ['a field that is not known', { admin: true }],
  ])('a request for %s is refused, by the name of the field alone', async (_, change) => {
    await expect(mint.mint(keyGrant, { ...request(), ...change })).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^unable to mint; not good for a token: [a-zA-Z]+$/),
    })
  })
})

describe('the common patterns of two lists', () => {
  const pattern = fc.stringMatching(/^[ab]{0,3}\*?$/).filter((text) => text !== '')
  const id = fc.stringMatching(/^[ab]{1,4}$/)

  test('match exactly what both match', () => {
    fc.assert(
      fc.property(fc.array(pattern), fc.array(pattern), id, (a, b, session) => {
        const match = (patterns: readonly string[]): boolean =>
          patterns.some((p) => matchesPattern(p, session))
        expect(match(commonPatterns(a, b))).toBe(match(a) && match(b))
      }),
    )
  })

  test('a pattern that covers another matches all that it matches', () => {
    fc.assert(
      fc.property(pattern, pattern, id, (wide, narrow, session) => {
        if (covers(wide, narrow) && matchesPattern(narrow, session))
          expect(matchesPattern(wide, session)).toBe(true)
      }),
    )
  })
})
