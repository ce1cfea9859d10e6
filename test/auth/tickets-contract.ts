import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { expireTicket, isTicketDeadline, Tickets } from '../../src/auth/tickets.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import type { OpenedStore, OpenStore } from '../contract/store.ts'
import { personGrant, refused } from './kit.ts'

/** What tickets need of a store, on any of them: that one node alone redeems, and that the store's clock ends them. [P-6.3] */
export function describeTickets(name: string, open: OpenStore): void {
  describe(`tickets: ${name}`, () => {
    const grant = { ...personGrant, expiresAt: Date.now() + 3_600_000 }
    let opened: OpenedStore
    let here: Tickets
    let there: Tickets
    beforeAll(async () => {
      opened = await open()
      const node = (): Tickets => new Tickets(opened.store, new SystemRandom(), Date.now)
      here = node()
      there = node()
    })
    afterAll(() => opened.close())

    it('are redeemed on another node, once', async () => {
      const { ticket } = await here.issue(grant, { origin: null })
      expect(await there.redeem(ticket, null)).toEqual(grant)
      await refused(here.redeem(ticket, null), ticket)
    })

    it('are redeemed by one of many who try at once', async () => {
      const issued = await Promise.all(
        Array.from({ length: 20 }, () => here.issue(grant, { origin: null })),
      )
      for (const { ticket } of issued) {
        const tries = [here, there, here, there].map((node) => node.redeem(ticket, null))
        const settled = await Promise.allSettled(tries)
        expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      }
    })

    it('end by the store’s clock, and are swept', async () => {
      const { ticket } = await here.issue(grant, { origin: null, ttlMs: 50 })
      const mine = async () => (await opened.store.due(100)).filter(isTicketDeadline)
      await vi.waitUntil(async () => (await mine()).length > 0)
      await refused(there.redeem(ticket, null), ticket)
      await here.issue(grant, { origin: null, ttlMs: 50 })
      await vi.waitUntil(async () => (await mine()).length > 0)
      for (const due of await mine()) await expireTicket(opened.store, due)
      expect(await mine()).toEqual([])
    })

    it('that were never issued cost a look', async () => {
      await refused(here.redeem('A'.repeat(43), null), 'A'.repeat(43))
    })
  })
}
