import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { Courier } from '../../src/core/courier.ts'
import { Inputs } from '../../src/core/inputs.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { Notices } from '../../src/core/notices.ts'
import { OutgoingNotices } from '../../src/core/outgoing-notices.ts'
import { claimNotice, failNotice } from '../../src/core/transitions/notice.ts'
import { enter, leave, type EnterRequest } from '../../src/core/transitions/member.ts'
import { Views } from '../../src/core/views.ts'
import { WEBHOOK_EVENTS } from '../../src/core/webhook.ts'
import type { MemberId, SessionId } from '../../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { failed, FakeSender } from '../support/fake-sender.ts'
import { FakeLog } from '../support/sim-log.ts'
import { create, eventually, headOf } from './store/kit.ts'
import type { OpenedStore, OpenStore } from './store.ts'

const LEASE_MS = 60_000
const TELLS = new Set(WEBHOOK_EVENTS)
const ADA = { subject: 'ada' }

/** What notices need of a store, on any of them: one claim at a time, by deadlines that outlive who set them, and one word about who is there. */
export function describeNotices(name: string, open: OpenStore): void {
  describe(`notices: ${name}`, () => {
    const random = new SystemRandom()
    const clock = new SystemClock()
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())

    /** A node as far as notices go. */
    function node(sender: FakeSender | null = null) {
      const { store, signals } = opened
      const limits = { ...DEFAULT_LIMITS, inputNoticeAfterMs: 1 }
      const views = new Views(store, limits)
      const ports = { store, signals, views, random, clock, limits, webhookEvents: TELLS }
      const outgoing = [new OutgoingNotices(ports)]
      const keeper = { committed: () => undefined }
      return {
        inputs: new Inputs({ ...ports, keeper }),
        notices: new Notices(ports),
        courier: new Courier({
          ...ports,
          log: new FakeLog(),
          sender,
          retryMs: [20, 20, 20],
          outgoing,
        }),
      }
    }

    const session = async (): Promise<SessionId> => (await create(opened.store)).session

    const send = (id: SessionId, input = 'i1') =>
      node().inputs.receive({
        session: id,
        input,
        mode: 'queue',
        rawParts: null,
        rawData: '{"n": 1.00}',
        by: ADA,
      })

    const come = (id: SessionId, member: string): Promise<unknown> => {
      const who = { member, subject: member, kind: 'human', visible: true } as const
      const how = { ttlMs: 60_000, maxMembers: 100, tells: TELLS, connection: member, by: ADA }
      const request: EnterRequest = { session: id, member: who, ...how }
      return run(opened.store, enter(request, random))
    }
    const go = (id: SessionId, member: string): Promise<unknown> => {
      const request = { session: id, member: member as MemberId, by: ADA, tells: TELLS }
      return run(opened.store, leave(request, random))
    }

    const dueOf = async (id: SessionId) =>
      (await opened.store.due(1000)).find(
        (one) => one.session === id && one.deadline.startsWith('notice:'),
      )
    const nextDue = (id: SessionId) =>
      eventually(async () => {
        const due = await dueOf(id)
        if (due === undefined) throw new Error('nothing is due')
        return due
      })
    /** Every node looks, and all at once. */
    const sweep = async (id: SessionId, nodes: readonly ReturnType<typeof node>[]) => {
      const due = await dueOf(id)
      if (due !== undefined) await Promise.all(nodes.map(({ courier }) => courier.due(due)))
    }

    test('[P-17.1] [invariant 7] of many nodes that find an input due one alone claims it, and none by an old look', async () => {
      const id = await session()
      await send(id)
      const { at } = await nextDue(id)
      const claim = { session: id, name: 'input:i1', at, leaseMs: LEASE_MS, tells: TELLS }
      const claims = await Promise.all(
        Array.from({ length: 5 }, () => run(opened.store, claimNotice(claim, random))),
      )
      expect(claims.filter((one) => one !== null)).toMatchObject([{ record: { attempts: 1 } }])
      expect(await run(opened.store, claimNotice(claim, random))).toBeNull()
      expect(await dueOf(id)).toBeUndefined()
    })

    test('a claim ends by the store’s clock, and whoever held it decides nothing any more', async () => {
      const id = await session()
      await send(id)
      const claim = { session: id, name: 'input:i1', tells: TELLS }
      const first = await nextDue(id)
      const held = await run(
        opened.store,
        claimNotice({ ...claim, at: first.at, leaseMs: 1 }, random),
      )
      const second = await nextDue(id)
      const taken = claimNotice({ ...claim, at: second.at, leaseMs: LEASE_MS }, random)
      const notice = held?.record.id ?? ''
      expect(await run(opened.store, taken)).toMatchObject({ record: { id: notice, attempts: 2 } })
      const late = { session: id, name: 'input:i1', id: notice, attempts: 1 }
      const failure = failNotice({ ...late, reason: 'timeout', againInMs: null })
      expect(await run(opened.store, failure)).toBe(false)
      expect(await node().notices.list(id)).toMatchObject([{ status: 'pending', attempts: 2 }])
    })

    test('[P-17.3] a receiver that fails three times and then takes it: told once, with one id', async () => {
      const id = await session()
      const sender = new FakeSender()
      sender.next.push(...Array(3).fill(failed('status_500')))
      await send(id)
      const nodes = [node(sender), node(sender)]
      await eventually(async () => {
        await sweep(id, nodes)
        expect(await node().notices.list(id)).toMatchObject([{ status: 'told', attempts: 4 }])
      })
      expect(sender.sent).toHaveLength(4)
      expect(new Set(sender.sent.map((one) => one.id)).size).toBe(1)
      expect(sender.sent[0]?.body).toContain('"data":{"n": 1.00}')
      expect(await dueOf(id)).toBeUndefined()
    })

    test('what ends the wait of an input ends its notice, due or claimed', async () => {
      const id = await session()
      await send(id)
      await send(id, 'i2')
      const { at, deadline } = await nextDue(id)
      const first = deadline.slice('notice:'.length)
      const claim = { session: id, name: first, at, leaseMs: 1, tells: TELLS }
      await run(opened.store, claimNotice(claim, random))
      for (const input of ['i1', 'i2']) {
        await node().inputs.cancel({ session: id, input, by: ADA })
      }
      expect(await node().notices.list(id)).toEqual([])
      const sender = new FakeSender()
      // Whoever had looked before that finds nothing.
      await node(sender).courier.due({ session: id, deadline, at })
      expect(sender.sent).toEqual([])
      expect(await dueOf(id)).toBeUndefined()
    })

    test('[P-17.2] people who come and go at once, over many nodes, are counted exactly; the last word is told', async () => {
      const id = await session()
      const people = ['a', 'b', 'c', 'd']
      await Promise.all(people.map((one) => come(id, one)))
      const came = (await headOf(opened.store, id)).head
      const sender = new FakeSender()
      const nodes = [node(sender), node(sender)]
      await nextDue(id)
      await sweep(id, nodes)
      await eventually(async () => {
        expect(await node().notices.list(id)).toMatchObject([{ status: 'told' }])
      })
      await Promise.all(people.map((one) => go(id, one)))
      await nextDue(id)
      await sweep(id, nodes)
      await eventually(async () => {
        expect(await node().notices.list(id)).toMatchObject([
          { type: 'presence.empty', status: 'told' },
        ])
      })
      // As of when it is so: at the change, or after it.
      const { head } = await headOf(opened.store, id)
      expect(sender.bodies()).toMatchObject([
        { type: 'presence.attached', serial: came },
        { type: 'presence.empty', serial: head },
      ])
      const counts = await opened.store.fields(id, ['members'])
      expect(counts?.get('members')).toBe('0 0')
    })

    test('a session that is removed takes its notices along', async () => {
      const id = await session()
      await send(id)
      await come(id, 'ada')
      await nextDue(id)
      await opened.store.remove(id)
      expect(await dueOf(id)).toBeUndefined()
    })
  })
}
