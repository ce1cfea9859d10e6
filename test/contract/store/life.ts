import { describe, expect, it } from 'vitest'
import type { OpenedStore, OpenStore } from '../store.ts'
import {
  commit,
  create,
  event,
  events,
  expectChain,
  headOf,
  producer,
  readAll,
  snapshot,
} from './kit.ts'

/** Tests that close the store, each with one of its own. */
export function describeLife(open: OpenStore): void {
  async function using(test: (opened: OpenedStore, kept: boolean) => Promise<void>) {
    const opened = await open()
    try {
      await test(opened, opened.reopen !== undefined)
    } finally {
      await opened.close()
    }
  }

  describe('an open store', () => {
    it('names the durability that it keeps, and says that it is well', () =>
      using(async ({ store }) => {
        expect(['memory', 'async', 'fsync', 'replicated']).toContain(store.durability)
        const health = await store.check()
        expect(health.ok).toBe(true)
        expect(health.detail.length).toBeGreaterThan(0)
      }))

    it('closes once, however often it is asked', () =>
      using(async ({ store }) => {
        await create(store, { events: events(1) })
        await Promise.all([store.close(), store.close()])
        await store.close()
      }))

    it('answers the commits that are under way when it is closed', () =>
      using(async ({ store }) => {
        const { session } = await create(store)
        const writing = Array.from({ length: 50 }, () =>
          store.commit({ session, events: events(1) }),
        )
        const [results] = await Promise.all([Promise.all(writing), store.close()])
        expect(results.map(({ outcome }) => outcome)).toEqual(results.map(() => 'committed'))
      }))
  })

  describe('a store that is opened again', () => {
    it('has every event that was answered, and goes on where it was', ({ skip }) =>
      using(async ({ store, reopen = open }, kept) => {
        skip(!kept, 'nothing outlives this store')
        const { session, epoch } = await create(store, { events: events(5) })
        const writing = Array.from({ length: 50 }, () =>
          store.commit({ session, events: events(1) }),
        )
        await Promise.all(writing)
        const before = await snapshot(store, session)
        const again = await reopen()
        expect(await snapshot(again.store, session)).toEqual(before)
        expect(await commit(again.store, { session, events: events(1) })).toMatchObject({
          epoch,
          first: 56,
        })
        expectChain(await readAll(again.store, session), await headOf(again.store, session))
        await again.close()
      }))

    it('still knows fields, deadlines, ids, producers, floor and bytes', ({ skip }) =>
      using(async ({ store, reopen = open }, kept) => {
        skip(!kept, 'nothing outlives this store')
        const p = { id: producer('p'), epoch: 1, seq: 1, count: 3 }
        const { session } = await create(store, {
          producer: p,
          events: [event('1', 'a', 'print'), event('1', 'b'), event('1')],
          writes: [{ field: '__proto__', value: 'kept' }],
          deadlines: [{ deadline: 'd', inMs: 0 }],
        })
        await store.trim(session, {
          maxEvents: 1,
          maxBytes: null,
          maxAgeMs: null,
          notAfter: 3,
          limit: 9,
        })
        const head = await headOf(store, session)
        const { bytes } = await commit(store, { session })
        const opened = await reopen()
        const again = opened.store
        expect(await headOf(again, session)).toEqual(head)
        expect(await commit(again, { session })).toMatchObject({ floor: 2, bytes })
        expect(await again.fields(session, ['__proto__'])).toEqual(new Map([['__proto__', 'kept']]))
        expect(await again.due(10)).toMatchObject([{ session, deadline: 'd' }])
        expect(await again.commit({ session, producer: p, events: events(3) })).toMatchObject({
          outcome: 'replayed',
          serials: [1, 2, 3],
        })
        expect(await again.commit({ session, events: [event('1', 'a')] })).toMatchObject({
          outcome: 'duplicate',
          known: [{ id: 'a', serial: 1, fingerprint: 'print' }],
        })
        await opened.close()
      }))
  })
}
