import { describe, expect, it } from 'vitest'
import { DEDUPE_WINDOW_MS } from '../../../src/core/store.ts'
import type { Opened } from '../store.ts'
import { NAMES } from './commits.ts'
import { commit, create, event, headOf } from './kit.ts'

export function describeDedupe(opened: Opened): void {
  describe('remembered ids', () => {
    it('answer a retry with the serial and the fingerprint of the first, and append nothing', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store, { events: [event()] })
      await commit(store, { session, events: [event('1', 'a', 'print-1')] })
      const again = await store.commit({ session, events: [event('2', 'a', 'print-2')] })
      const known = [{ id: 'a', serial: 2, fingerprint: 'print-1' }]
      expect(again).toEqual({ outcome: 'duplicate', epoch, known })
      expect((await headOf(store, session)).head).toBe(2)
    })

    it('are each named when a request holds known and new ones, and the new ones stay new', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        events: [event('1', 'a', 'fa'), event('1', 'b', 'fb')],
      })
      const mixed = [event('1', 'new'), event('1', 'b'), event('1'), event('1', 'a')]
      const refused = await store.commit({ session, events: mixed })
      expect(refused).toMatchObject({
        outcome: 'duplicate',
        known: [
          { id: 'b', serial: 2, fingerprint: 'fb' },
          { id: 'a', serial: 1, fingerprint: 'fa' },
        ],
      })
      await commit(store, { session, events: [event('1', 'new')] })
    })

    it('of one session mean nothing to another', async () => {
      const { store } = opened()
      await create(store, { events: [event('1', 'a')] })
      await create(store, { events: [event('1', 'a')] })
    })

    it('may be any text', async () => {
      const { store } = opened()
      const { session } = await create(store)
      await commit(store, { session, events: NAMES.map((id) => event('1', id, `f:${id}`)) })
      const again = await store.commit({ session, events: NAMES.map((id) => event('1', id)) })
      const known = NAMES.map((id, index) => ({ id, serial: index + 1, fingerprint: `f:${id}` }))
      expect(again).toMatchObject({ outcome: 'duplicate', known })
    })

    it('outlive their event', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: [event('1', 'a')] })
      const policy = { maxEvents: 0, maxBytes: null, maxAgeMs: null, notAfter: 1, limit: 10 }
      expect(await store.trim(session, policy)).toMatchObject({ floor: 1 })
      expect((await store.commit({ session, events: [event('1', 'a')] })).outcome).toBe('duplicate')
    })

    it('that race append once, and every loser learns the serial', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const results = await Promise.all(
        Array.from({ length: 20 }, () => store.commit({ session, events: [event('1', 'same')] })),
      )
      const losers = results.filter((result) => result.outcome !== 'committed')
      expect(losers).toHaveLength(19)
      for (const loser of losers) {
        expect(loser).toMatchObject({ outcome: 'duplicate', known: [{ id: 'same', serial: 1 }] })
      }
    })

    it('are remembered for the whole window, and may be forgotten after it', async ({ skip }) => {
      const { store, advance } = opened()
      skip(advance === undefined, 'this store goes by a clock that tests cannot move')
      const { session } = await create(store, { events: [event('1', 'a')] })
      advance?.(DEDUPE_WINDOW_MS - 1000)
      expect((await store.commit({ session, events: [event('1', 'a')] })).outcome).toBe('duplicate')
      advance?.(2000)
      expect(await commit(store, { session, events: [event('1', 'a')] })).toMatchObject({
        first: 2,
      })
      expect(await store.commit({ session, events: [event('1', 'a')] })).toMatchObject({
        outcome: 'duplicate',
        known: [{ serial: 2 }],
      })
      advance?.(-(DEDUPE_WINDOW_MS + 1000))
    })
  })
}
