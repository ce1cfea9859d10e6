import { describe, expect, it } from 'vitest'
import { GENESIS_TAG } from '../../../src/protocol/ids.ts'
import type { Opened } from '../store.ts'
import {
  commit,
  create,
  deadlineOf,
  event,
  events,
  newEpoch,
  newSession,
  producer,
  readAll,
  snapshot,
} from './kit.ts'

export function describeRemoval(opened: Opened): void {
  describe('remove', () => {
    it('forgets log and record, and tells whether there was something', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        events: events(3),
        writes: [{ field: 'a', value: '1' }],
      })
      expect(await store.remove(session)).toBe(true)
      expect(await store.remove(session)).toBe(false)
      expect(await store.remove(newSession())).toBe(false)
      expect(await snapshot(store, session, ['a'])).toEqual({
        page: null,
        head: null,
        fields: null,
      })
      expect(await store.commit({ session, events: events(1) })).toEqual({ outcome: 'missing' })
      const listed = await store.list({ cursor: null, limit: 10, prefix: session, fields: [] })
      expect(listed.sessions).toEqual([])
    })

    it('leaves nothing for a session created again: another epoch, serial 1, no ids, seqs, fields or deadlines', async () => {
      const { store } = opened()
      const p = { id: producer('p'), epoch: 9, seq: 9, count: 1 }
      const { session } = await create(store, {
        producer: p,
        events: [event('1', 'id')],
        writes: [{ field: 'a', value: '1' }],
        deadlines: [{ deadline: 'd', inMs: 3_600_000 }],
      })
      await store.remove(session)
      const epoch = newEpoch()
      const again = await commit(store, {
        session,
        create: { epoch },
        producer: { ...p, epoch: 1, seq: 1 },
        guards: [
          { field: 'a', equals: null },
          { deadline: 'd', at: null },
        ],
        events: [event('2', 'id')],
      })
      expect(again).toMatchObject({ epoch, first: 1, last: 1, prev: GENESIS_TAG, floor: 0 })
      const log = await readAll(store, session)
      expect(log.map(({ serial, tag }) => ({ serial, tag }))).toEqual([
        { serial: 1, tag: again.tag },
      ])
      expect(again.bytes).toBe(Buffer.byteLength(log[0]?.text ?? ''))
    })

    it('with a guard forgets only while that deadline is still the one given', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        deadlines: [{ deadline: 'idle', inMs: 3_600_000 }],
      })
      const at = await deadlineOf(store, session, 'idle')
      expect(await store.remove(session, { deadline: 'idle', at: (at ?? 0) + 1 })).toBe(false)
      expect(await store.remove(session, { deadline: 'idle', at: null })).toBe(false)
      expect(await store.remove(session, { deadline: 'other', at })).toBe(false)
      expect(await store.heads([session])).not.toEqual([null])
      expect(await store.remove(session, { deadline: 'idle', at })).toBe(true)
      expect(await store.heads([session])).toEqual([null])
    })

    it('takes a guard for a deadline that is not set', async () => {
      const { store } = opened()
      const { session } = await create(store)
      expect(await store.remove(session, { deadline: 'idle', at: null })).toBe(true)
    })

    it('that races with others happens once', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(5) })
      const removed = await Promise.all(Array.from({ length: 10 }, () => store.remove(session)))
      expect(removed.filter(Boolean)).toHaveLength(1)
    })

    it('leaves other sessions alone', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(2) })
      const other = await create(store, { events: events(2) })
      const before = await snapshot(store, other.session)
      await store.remove(session)
      expect(await snapshot(store, other.session)).toEqual(before)
    })
  })
}
