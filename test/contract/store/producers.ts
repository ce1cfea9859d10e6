import { describe, expect, it } from 'vitest'
import type { CommitRequest } from '../../../src/core/store.ts'
import type { SessionId } from '../../../src/protocol/ids.ts'
import type { Opened } from '../store.ts'
import { commit, create, event, events, headOf, producer } from './kit.ts'

const claim = (seq: number, count = 1, epoch = 1, id = 'p') => ({
  id: producer(id),
  epoch,
  seq,
  count,
})
const by = (session: SessionId, seq: number, count = 1, epoch = 1, id = 'p'): CommitRequest => ({
  session,
  producer: claim(seq, count, epoch, id),
  events: events(count),
})

export function describeProducers(opened: Opened): void {
  describe('producers', () => {
    it('may begin at any seq when not known, and at a higher epoch', async () => {
      const { store } = opened()
      const { session } = await create(store)
      await commit(store, by(session, 41, 2))
      await commit(store, by(session, 43))
      await commit(store, by(session, 0, 1, 5))
      await commit(store, by(session, 900, 1, 6))
      await commit(store, by(session, 901, 1, 6))
      expect((await headOf(store, session)).head).toBe(6)
    })

    it('of a lower epoch are fenced, naming the epoch that is known', async () => {
      const { store } = opened()
      const { session } = await create(store)
      await commit(store, by(session, 1, 1, 7))
      expect(await store.commit(by(session, 2, 1, 6))).toEqual({ outcome: 'fenced', epoch: 7 })
    })

    it('that are ahead get the seq that is expected', async () => {
      const { store } = opened()
      const { session } = await create(store)
      await commit(store, by(session, 1, 3))
      expect(await store.commit(by(session, 5))).toEqual({ outcome: 'gap', expected: 4 })
    })

    it('that repeat a commit get the serials of the first answer', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store, { events: events(4) })
      await commit(store, by(session, 1, 3))
      const again = await store.commit(by(session, 1, 3))
      expect(again).toEqual({ outcome: 'replayed', epoch, count: 3, serials: [5, 6, 7] })
      const part = await store.commit(by(session, 2, 1))
      expect(part).toEqual({ outcome: 'replayed', epoch, count: 1, serials: [6] })
      expect((await headOf(store, session)).head).toBe(7)
    })

    it('that repeat a part and add to it learn how many were accepted, and the rest goes on', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store)
      await commit(store, by(session, 1, 2))
      await commit(store, { session, events: events(1) })
      await commit(store, by(session, 3, 2))
      const overlap = await store.commit(by(session, 2, 5))
      expect(overlap).toEqual({ outcome: 'replayed', epoch, count: 3, serials: [2, 4, 5] })
      expect(await commit(store, by(session, 5, 2))).toMatchObject({ first: 6, last: 7 })
    })

    it('are answered with serials for their last 16 commits, and null for older ones', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store)
      for (let seq = 1; seq <= 17; seq++) {
        await commit(store, by(session, seq))
      }
      const serials = [null, ...Array.from({ length: 16 }, (_, index) => index + 2)]
      const again = await store.commit(by(session, 1, 17))
      expect(again).toEqual({ outcome: 'replayed', epoch, count: 17, serials })
    })

    it('keep apart: by id, by session', async () => {
      const { store } = opened()
      const one = await create(store)
      const two = await create(store)
      await commit(store, by(one.session, 5, 1, 3))
      await commit(store, by(one.session, 1, 1, 1, 'q'))
      await commit(store, by(two.session, 1, 1, 1))
      expect((await store.commit(by(one.session, 2, 1, 3))).outcome).toBe('replayed')
    })

    it('with a higher epoch forget the seqs of the lower one', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store)
      await commit(store, by(session, 1, 2, 1))
      await commit(store, by(session, 2, 1, 2))
      const again = await store.commit(by(session, 1, 2, 2))
      expect(again).toEqual({ outcome: 'replayed', epoch, count: 2, serials: [null, 3] })
    })

    it('are answered after a trim as before it', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store)
      await commit(store, by(session, 1, 2))
      const policy = { maxEvents: 0, maxBytes: null, maxAgeMs: null, notAfter: 2, limit: 10 }
      await store.trim(session, policy)
      const again = await store.commit(by(session, 1, 2))
      expect(again).toEqual({ outcome: 'replayed', epoch, count: 2, serials: [1, 2] })
    })

    it('that race with the same seq append once', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const results = await Promise.all(
        Array.from({ length: 20 }, () => store.commit(by(session, 1, 2))),
      )
      expect(results.filter((result) => result.outcome === 'committed')).toHaveLength(1)
      for (const result of results) {
        if (result.outcome !== 'committed') {
          expect(result).toMatchObject({ outcome: 'replayed', count: 2, serials: [1, 2] })
        }
      }
      expect((await headOf(store, session)).head).toBe(2)
    })

    it('keep their seq when an id or a guard refuses the commit', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: [event('1', 'known')] })
      const refused = [
        { session, producer: claim(1), events: [event('1', 'known')] },
        { ...by(session, 1), guards: [{ field: 'a', equals: '1' }] },
      ]
      expect((await store.commit(refused[0] as CommitRequest)).outcome).toBe('duplicate')
      expect((await store.commit(refused[1] as CommitRequest)).outcome).toBe('conflict')
      await commit(store, by(session, 1))
    })
  })
}
