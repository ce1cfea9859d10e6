import { expect, test } from 'vitest'
import { grantOfClaims } from '../../src/auth/claims.ts'
import { KEPT_MS, RevokedTokens } from '../../src/auth/revoked-tokens.ts'
import type { Grant } from '../../src/core/access.ts'
import { claims, keyGrant, TestClock } from './kit.ts'

const clock = new TestClock()
const NOW = clock.now()

function grant(change: Record<string, unknown>): Grant {
  const made = grantOfClaims(claims(clock, change), NOW)
  if (typeof made === 'string') throw new Error(made)
  return made
}

test('[P-6.8] a token is taken back by its id, and no other token of its subject is', () => {
  const revoked = new RevokedTokens()
  expect(revoked.add({ jti: 'one' }, NOW)).toBe(true)
  expect(revoked.has(grant({ jti: 'one' }))).toBe(true)
  expect(revoked.has(grant({ jti: 'two' }))).toBe(false)
  expect(revoked.has(grant({}))).toBe(false)
  expect(revoked.add({ jti: 'one' }, NOW + 1)).toBe(false)
})

test('[P-6.8] with its subject a token is taken back that was issued up to that second, with or without an id', () => {
  const revoked = new RevokedTokens()
  revoked.add({ subject: 'ada' }, NOW + 999)
  const second = NOW / 1000
  expect(revoked.has(grant({ iat: second - 60 }))).toBe(true)
  expect(revoked.has(grant({ iat: second, jti: 'one' }))).toBe(true)
  expect(revoked.has(grant({ iat: second + 0.5 }))).toBe(true)
  expect(revoked.has(grant({ iat: second + 1 }))).toBe(false)
  expect(revoked.has(grant({ sub: 'ben' }))).toBe(false)
  // An earlier one, heard of later, gives nothing back.
  expect(revoked.add({ subject: 'ada' }, NOW - 60_000)).toBe(false)
  expect(revoked.has(grant({ iat: second }))).toBe(true)
  revoked.add({ subject: 'ada' }, NOW + 1000)
  expect(revoked.has(grant({ iat: second + 1 }))).toBe(true)
})

test('[P-6.8] an API key is no token, whatever its name', () => {
  const revoked = new RevokedTokens()
  revoked.add({ subject: keyGrant.subject }, NOW)
  expect(revoked.has(keyGrant)).toBe(false)
})

test('[P-6.8] what was taken back is forgotten when no such token could be good, and not before', () => {
  const revoked = new RevokedTokens()
  revoked.add({ jti: 'old' }, NOW)
  revoked.add({ subject: 'ada' }, NOW)
  revoked.add({ jti: 'new' }, NOW + 1000)
  revoked.forget(NOW + KEPT_MS - 1)
  expect(revoked.size).toBe(3)
  revoked.forget(NOW + KEPT_MS)
  expect(revoked.size).toBe(1)
  expect(revoked.has(grant({ jti: 'new' }))).toBe(true)
  // The longest token, made by the fastest clock that is taken, is over by then.
  expect(KEPT_MS).toBe(24 * 60 * 60 * 1000 + 30_000)
})
