import { beforeEach, describe, expect, test, vi } from 'vitest'
import { expireTicket, isTicketDeadline, Tickets } from '../../src/auth/tickets.ts'
import { internalSession, isInternal } from '../../src/core/internal-session.ts'
import { parseSessionId } from '../../src/protocol/ids.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import { keyGrant, personGrant, refused, TestClock } from './kit.ts'

let clock: TestClock
let store: MemoryStore
let here: Tickets
let there: Tickets
beforeEach(() => {
  clock = new TestClock()
  store = new MemoryStore(new LocalSignals(), () => clock.time)
  const node = (): Tickets => new Tickets(store, new SystemRandom(), () => clock.time)
  here = node()
  there = node()
})

describe('a ticket [P-6.3]', () => {
  test('is redeemed on any node for the grant of whoever asked for it', async () => {
    for (const grant of [keyGrant, personGrant]) {
      const { ticket, expiresAt } = await here.issue(grant, { origin: null })
      expect(ticket).toMatch(/^[A-Za-z0-9_-]{43}$/)
      expect(expiresAt).toBe(clock.time + 60_000)
      expect(await there.redeem(ticket, 'https://any.example.com')).toEqual(grant)
    }
  })

  test('is redeemed once', async () => {
    const { ticket } = await here.issue(personGrant, { origin: null })
    await there.redeem(ticket, null)
    await refused(here.redeem(ticket, null), ticket)
    await refused(there.redeem(ticket, null), ticket)
  })

  test('is redeemed by one of many who try at once', async () => {
    const { ticket } = await here.issue(personGrant, { origin: null })
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? here : there).redeem(ticket, null)),
    )
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('bound to an origin is of no use to another, and then to nobody', async () => {
    const { ticket } = await here.issue(personGrant, { origin: 'https://app.example.com' })
    const second = await here.issue(personGrant, { origin: 'https://app.example.com' })
    await refused(here.redeem(ticket, 'https://evil.example.com'), ticket)
    await refused(here.redeem(ticket, 'https://app.example.com'), ticket)
    await refused(here.redeem(second.ticket, null), second.ticket)
    const third = await here.issue(personGrant, { origin: 'https://app.example.com' })
    expect(await here.redeem(third.ticket, 'https://app.example.com')).toEqual(personGrant)
  })

  test('is over when its time is, by the store’s clock', async () => {
    const { ticket } = await here.issue(personGrant, { origin: null, ttlMs: 5000 })
    clock.time += 5000
    await refused(here.redeem(ticket, null), ticket)
  })

  test('lasts no longer than a minute, or than its grant', async () => {
    expect(await here.issue(personGrant, { origin: null, ttlMs: 3_600_000 })).toMatchObject({
      expiresAt: clock.time + 60_000,
    })
    const soon = { ...personGrant, expiresAt: clock.time + 100 }
    expect(await here.issue(soon, { origin: null })).toMatchObject({ expiresAt: soon.expiresAt })
    await refused(here.issue({ ...personGrant, expiresAt: clock.time }, { origin: null }), '')
  })

  test.each(['', 'x', 'A'.repeat(43), 'A'.repeat(44), `${'A'.repeat(42)}\n`, '../'.repeat(14)])(
    'that was never issued is refused: %j',
    async (ticket) => {
      await refused(here.redeem(ticket, null), ticket)
    },
  )

  test('is not stored, only its digest is', async () => {
    const commit = vi.spyOn(store, 'commit')
    const { ticket } = await here.issue(personGrant, { origin: null })
    expect(JSON.stringify(commit.mock.calls)).not.toContain(ticket)
  })

  test('when the store is not sure, is never redeemed twice', async () => {
    const { ticket } = await here.issue(personGrant, { origin: null })
    const commit = store.commit.bind(store)
    let calls = 0
    vi.spyOn(store, 'commit').mockImplementation(async (request) => {
      const result = await commit(request)
      if (++calls === 2) throw new Error('the answer was lost')
      return result
    })
    await expect(here.redeem(ticket, null)).rejects.toThrow('the answer was lost')
    await refused(there.redeem(ticket, null), ticket)
  })
})

describe('tickets that nobody redeemed', () => {
  test('are forgotten by the sweeper, once and without harm to others', async () => {
    await here.issue(personGrant, { origin: null, ttlMs: 1000 })
    const later = await here.issue(personGrant, { origin: null, ttlMs: 60_000 })
    clock.time += 1000
    const due = await store.due(10)
    expect(due).toHaveLength(1)
    expect(due.every(isTicketDeadline)).toBe(true)
    await Promise.all(due.flatMap((one) => [expireTicket(store, one), expireTicket(store, one)]))
    expect(await store.due(10)).toEqual([])
    const [one] = due
    if (one === undefined) throw new Error('nothing was due')
    expect(await store.fields(one.session, [one.deadline])).toEqual(new Map([[one.deadline, null]]))
    expect(await here.redeem(later.ticket, null)).toEqual(personGrant)
  })

  test('are left alone when the deadline is not the one that was seen', async () => {
    const { ticket } = await here.issue(personGrant, { origin: null, ttlMs: 1000 })
    clock.time += 1000
    const [due] = await store.due(10)
    clock.time -= 1000
    if (due !== undefined) await expireTicket(store, { ...due, at: due.at - 1 })
    expect(await here.redeem(ticket, null)).toEqual(personGrant)
  })

  test('leave no deadline behind when they were redeemed', async () => {
    const { ticket } = await here.issue(personGrant, { origin: null })
    await here.redeem(ticket, null)
    clock.time += 120_000
    expect(await store.due(10)).toEqual([])
  })
})

describe('internal sessions', () => {
  test('hold all tickets, are at most sixteen, and no caller can name one [P-1.1]', async () => {
    await Promise.all(Array.from({ length: 200 }, () => here.issue(personGrant, { origin: null })))
    const { sessions } = await store.list({ cursor: null, limit: 100, prefix: '', fields: [] })
    expect(sessions).toHaveLength(16)
    for (const { session } of sessions) {
      expect(isInternal(session)).toBe(true)
      expect(parseSessionId(session)).toBeNull()
    }
  })

  test.each(['tickets', '~', '~Tickets', '~a b', '~a{b}', `~${'a'.repeat(64)}`])(
    '%s is no id of one',
    (text) => {
      expect(() => internalSession(text)).toThrow('not the id')
    },
  )
})
