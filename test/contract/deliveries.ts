import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { Courier } from '../../src/core/courier.ts'
import { Deliveries } from '../../src/core/deliveries.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { OutgoingDeliveries } from '../../src/core/outgoing-deliveries.ts'
import { DEADLINE } from '../../src/core/record.ts'
import { Views } from '../../src/core/views.ts'
import { claimTry, failTry, type DueDelivery } from '../../src/core/transitions/delivery.ts'
import { WEBHOOK_EVENTS } from '../../src/core/webhook.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { endRun, type EndedRun } from '../support/ended-run.ts'
import { failed, FakeSender } from '../support/fake-sender.ts'
import { FakeLog } from '../support/sim-log.ts'
import { create, eventually, headOf, readAll } from './store/kit.ts'
import type { OpenedStore, OpenStore } from './store.ts'

const LEASE_MS = 60_000

/** What deliveries need of a store, on any of them: one acknowledgement, one sender at a time, deadlines that outlive who set them. */
export function describeDeliveries(name: string, open: OpenStore): void {
  describe(`deliveries: ${name}`, () => {
    const random = new SystemRandom()
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())

    /** A node as far as deliveries go. */
    function node(sender: FakeSender | null = null) {
      const ports = { store: opened.store, views: new Views(opened.store, DEFAULT_LIMITS), random }
      const clock = new SystemClock()
      const retryMs = [20, 20, 20]
      const log = new FakeLog()
      const webhookEvents = new Set(WEBHOOK_EVENTS)
      const outgoing = [new OutgoingDeliveries({ ...ports, webhookEvents })]
      return {
        deliveries: new Deliveries(ports),
        courier: new Courier({ ...ports, clock, log, sender, retryMs, outgoing }),
      }
    }

    async function session(): Promise<SessionId> {
      return (await create(opened.store)).session
    }

    const end = (id: SessionId, change: Partial<EndedRun> = {}): Promise<void> =>
      endRun(opened.store, random, id, { name: 'r1', deliverTo: ['ada'], ...change })

    async function told(id: SessionId): Promise<string[]> {
      const log = await readAll(opened.store, id)
      return log
        .map(({ text }) => (JSON.parse(text) as { readonly type: string }).type)
        .filter((type) => type.startsWith('delivery.'))
    }

    async function dueOf(id: SessionId): Promise<DueDelivery | undefined> {
      const due = (await opened.store.due(1000)).find((one) => one.session === id)
      const prefix = DEADLINE.delivery('')
      return due && { session: id, id: due.deadline.slice(prefix.length), at: due.at }
    }

    /** What becomes due, once it is. */
    const nextDue = (id: SessionId): Promise<DueDelivery> =>
      eventually(async () => {
        const due = await dueOf(id)
        if (due === undefined) throw new Error('nothing is due')
        return due
      })

    test('[S0-23] a read that many nodes hear of acknowledges once', async () => {
      const id = await session()
      await end(id)
      await end(id, { name: 'r2' })
      const { head } = await headOf(opened.store, id)
      await Promise.all(
        Array.from({ length: 4 }, () => node().deliveries.readUpTo(id, 'ada', head)),
      )
      const pending = ['delivery.pending', 'delivery.pending']
      expect(await told(id)).toEqual([...pending, 'delivery.acked', 'delivery.acked'])
      expect(await node().deliveries.list(id)).toEqual([])
    })

    test('runs that end at the same time each have their delivery', async () => {
      const id = await session()
      const names = ['r1', 'r2', 'r3', 'r4']
      await Promise.all(names.map((one) => end(id, { name: one, deliverTo: ['ada', 'ben'] })))
      const list = await node().deliveries.list(id)
      expect(list.map((one) => `${one.run} ${one.to}`).toSorted()).toEqual(
        names.flatMap((one) => [`${one} ada`, `${one} ben`]),
      )
      expect(list.every(({ serial, at }) => serial !== null && at !== null)).toBe(true)
    })

    test('[invariant 7] of many nodes that find it due one alone claims it, and none by an old look', async () => {
      const id = await session()
      await end(id, { deliverAfterMs: 1 })
      const due = await nextDue(id)
      const claims = await Promise.all(
        Array.from({ length: 5 }, () => run(opened.store, claimTry(due, LEASE_MS))),
      )
      expect(claims.filter((claim) => claim !== null)).toMatchObject([{ attempts: 1, to: 'ada' }])
      expect(await run(opened.store, claimTry(due, LEASE_MS))).toBeNull()
      expect(await dueOf(id)).toBeUndefined()
    })

    test('a claim ends by the store’s clock, and whoever held it decides nothing any more', async () => {
      const id = await session()
      await end(id, { deliverAfterMs: 1 })
      const first = await nextDue(id)
      await run(opened.store, claimTry(first, 1))
      const second = await nextDue(id)
      expect(await run(opened.store, claimTry(second, LEASE_MS))).toMatchObject({ attempts: 2 })
      const late = { session: id, id: first.id, attempts: 1, reason: 'timeout', againInMs: null }
      expect(await run(opened.store, failTry(late, random))).toBe(false)
      expect(await told(id)).toEqual(['delivery.pending'])
    })

    test('[R17] a webhook that fails three times and then takes it: acknowledged once', async () => {
      const id = await session()
      const sender = new FakeSender()
      sender.next.push(...Array(3).fill(failed('status_500')))
      await end(id, { deliverAfterMs: 1 })
      const nodes = [node(sender), node(sender)]
      await eventually(async () => {
        const due = (await opened.store.due(1000)).filter((one) => one.session === id)
        await Promise.all(due.flatMap((one) => nodes.map(({ courier }) => courier.due(one))))
        expect(await told(id)).toEqual(['delivery.pending', 'delivery.acked'])
      })
      expect(sender.sent).toHaveLength(4)
      expect(new Set(sender.sent.map((one) => one.id)).size).toBe(1)
      expect(await dueOf(id)).toBeUndefined()
    })

    test('what failed is replayed, once, whoever asks', async () => {
      const id = await session()
      const sender = new FakeSender()
      sender.outcome = { kind: 'refused', reason: 'status_410' }
      const { courier, deliveries } = node(sender)
      await end(id, { deliverAfterMs: 1 })
      await eventually(async () => {
        for (const one of await opened.store.due(1000)) {
          if (one.session === id) await courier.due(one)
        }
        expect(await told(id)).toEqual(['delivery.pending', 'delivery.failed'])
      })
      const [one] = await deliveries.list(id)
      expect(one).toMatchObject({ status: 'failed', attempts: 1, reason: 'status_410' })
      await Promise.all([0, 1, 2].map(() => deliveries.replay(id, one?.delivery ?? '')))
      expect(await told(id)).toEqual(['delivery.pending', 'delivery.failed', 'delivery.pending'])
      expect(await nextDue(id)).toMatchObject({ id: one?.delivery })
    })

    test('a session that is removed takes its deadlines along', async () => {
      const id = await session()
      await end(id, { deliverAfterMs: 1 })
      await nextDue(id)
      await opened.store.remove(id)
      expect(await dueOf(id)).toBeUndefined()
    })
  })
}
