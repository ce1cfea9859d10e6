import { expect, test } from 'vitest'
import { AuditedAttempts } from '../../src/auth/audited-attempts.ts'
import { BruteForce } from '../../src/auth/brute-force.ts'
import { refusal, type RefusalReason } from '../../src/auth/refusal.ts'
import type { AuditEntry } from '../../src/core/audit.ts'
import { personGrant, TestClock } from './kit.ts'

function recorder(maxFailures = 10) {
  const clock = new TestClock()
  const entries: AuditEntry[] = []
  const guard = new BruteForce(clock, { maxFailures })
  const attempts = new AuditedAttempts(guard, { record: (entry) => entries.push(entry) }, clock)
  const fail = (address: string, reason: RefusalReason = 'wrong_secret'): Promise<unknown> =>
    attempts
      .attempt(address, () => Promise.reject(refusal('unauthenticated', reason)))
      .then(
        () => expect.unreachable('it was not refused'),
        (error: unknown) => error,
      )
  return { clock, entries, attempts, fail }
}

test('what was refused is written down with its reason and its address, and refused all the same', async () => {
  const { entries, attempts, fail } = recorder()
  expect(await fail('203.0.113.1')).toMatchObject({ code: 'unauthenticated' })
  await fail('203.0.113.1', 'expired')
  expect(entries).toEqual([
    {
      act: 'auth.refuse',
      by: null,
      outcome: 'refused',
      code: 'unauthenticated',
      address: '203.0.113.1',
      about: { reason: 'wrong_secret' },
    },
    expect.objectContaining({ about: { reason: 'expired' } }),
  ])
  expect(await attempts.attempt('203.0.113.1', async () => personGrant)).toBe(personGrant)
  expect(entries).toHaveLength(2)
})

test('what repeats is one line in ten seconds, and the next says how often', async () => {
  const { clock, entries, fail } = recorder(1000)
  for (let n = 0; n < 50; n++) await fail('203.0.113.1')
  expect(entries).toHaveLength(1)
  clock.time += 10_000
  await fail('203.0.113.1')
  await fail('203.0.113.1')
  expect(entries.map(({ about }) => about)).toEqual([
    { reason: 'wrong_secret' },
    { reason: 'wrong_secret', repeated: 49 },
  ])
  clock.time += 60_000
  await fail('203.0.113.1')
  expect(entries.at(-1)?.about).toEqual({ reason: 'wrong_secret' })
})

test('what repeats is written down, and may be tried again, as soon as ever where the clock was set back since', async () => {
  const { clock, entries, fail } = recorder(2)
  for (let n = 0; n < 5; n++) await fail('203.0.113.1')
  clock.time -= 3_600_000
  expect(await fail('203.0.113.1')).toMatchObject({ retryAfterMs: 60_000 })
  await fail('203.0.113.1')
  expect(entries.map(({ outcome, about }) => [outcome, about])).toEqual([
    ['refused', { reason: 'wrong_secret' }],
    ['blocked', {}],
    ['blocked', { repeated: 2 }],
  ])
})

test('an address that fails too often is blocked, which is told once', async () => {
  const { entries, fail } = recorder(3)
  for (let n = 0; n < 20; n++) await fail('203.0.113.1')
  expect(entries.map(({ outcome, code }) => `${outcome} ${code}`)).toEqual([
    'refused unauthenticated',
    'blocked rate_limited',
  ])
})

test('from however many addresses it comes, a hundred lines in ten seconds are all', async () => {
  const { clock, entries, fail } = recorder()
  for (let n = 0; n < 500; n++) await fail(`10.0.${n >> 8}.${n & 255}`)
  expect(entries).toHaveLength(100)
  clock.time += 10_000
  await fail('203.0.113.1')
  expect(entries.at(-1)?.about).toEqual({ reason: 'wrong_secret', leftOut: 400 })
})

test('what says nothing of credentials is no refusal of them', async () => {
  const { entries, attempts } = recorder()
  const away = attempts.attempt('203.0.113.1', () => Promise.reject(new Error('the store is away')))
  await expect(away).rejects.toThrow('away')
  expect(entries).toEqual([])
})
