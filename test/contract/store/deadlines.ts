import { describe, expect, it } from 'vitest'
import type { DueDeadline } from '../../../src/core/store.ts'
import { internalSession } from '../../../src/core/internal-session.ts'
import type { SessionId } from '../../../src/protocol/ids.ts'
import type { Opened } from '../store.ts'
import { commit, create, deadlineOf, events, eventually, headOf, newEpoch, readAll } from './kit.ts'

const HOUR = 3_600_000

export function describeDeadlines(opened: Opened): void {
  /** What is due of one session: other tests have deadlines in the same store. */
  async function dueOf(session: SessionId): Promise<DueDeadline[]> {
    return (await opened().store.due(1000)).filter((due) => due.session === session)
  }

  /** Waits until so many deadlines of the session are due. */
  function whenDue(session: SessionId, count: number): Promise<DueDeadline[]> {
    return eventually(async () => {
      const due = await dueOf(session)
      expect(due).toHaveLength(count)
      return due
    })
  }

  async function forget(session: SessionId): Promise<void> {
    await opened().store.remove(session)
  }

  describe('deadlines', () => {
    it('are due when their time has come by the store, and not before', async () => {
      const { store } = opened()
      const set = [
        { deadline: 'soon', inMs: 100 },
        { deadline: 'later', inMs: HOUR },
      ]
      const { session, committed } = await create(store, { deadlines: set })
      expect((await deadlineOf(store, session, 'soon')) ?? 0).toBeGreaterThanOrEqual(committed.at)
      // By the time that the commit tells: whoever set it knows when it is due.
      expect(await deadlineOf(store, session, 'later')).toBe(committed.at + HOUR)
      const [due] = await whenDue(session, 1)
      const { at: now } = await commit(store, { session, events: events(1) })
      expect(due?.deadline).toBe('soon')
      expect(due?.at).toBe(await deadlineOf(store, session, 'soon'))
      expect(now).toBeGreaterThanOrEqual(due?.at ?? Infinity)
      await forget(session)
    })

    it('stay due until a commit clears or moves them', async () => {
      const { store } = opened()
      const set = ['a', 'b', 'c'].map((deadline) => ({ deadline, inMs: 0 }))
      const { session } = await create(store, { deadlines: set })
      await whenDue(session, 3)
      await whenDue(session, 3)
      const changes = [
        { deadline: 'a', inMs: null },
        { deadline: 'b', inMs: HOUR },
      ]
      await commit(store, { session, deadlines: changes })
      expect((await dueOf(session)).map(({ deadline }) => deadline)).toEqual(['c'])
      await commit(store, { session, deadlines: [{ deadline: 'c', inMs: null }] })
      expect(await dueOf(session)).toEqual([])
      expect(await deadlineOf(store, session, 'c')).toBeNull()
      await forget(session)
    })

    it('come oldest first, at most the limit', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        deadlines: [
          { deadline: 'third', inMs: 30 },
          { deadline: 'first', inMs: 0 },
          { deadline: 'second', inMs: 15 },
        ],
      })
      opened().advance?.(30)
      const due = await whenDue(session, 3)
      expect(due.map(({ deadline }) => deadline)).toEqual(['first', 'second', 'third'])
      expect((await store.due(1)).length).toBe(1)
      await forget(session)
    })

    it('fire once when each look guards its commit with the time it saw', async () => {
      const { store } = opened()
      const { session } = await create(store, { deadlines: [{ deadline: 'd', inMs: 0 }] })
      const [due] = await whenDue(session, 1)
      const fire = {
        session,
        guards: [{ deadline: 'd', at: due?.at ?? null }],
        events: events(1),
        deadlines: [{ deadline: 'd', inMs: null }],
      }
      const results = await Promise.all(Array.from({ length: 10 }, () => store.commit(fire)))
      expect(results.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1)
      for (const result of results) {
        if (result.outcome === 'committed') continue
        const deadlines = new Map([['d', null]])
        expect(result).toEqual({ outcome: 'conflict', fields: new Map(), deadlines })
      }
      expect((await headOf(store, session)).head).toBe(1)
    })

    it('do not fire by an old look when they were moved', async () => {
      const { store } = opened()
      const { session } = await create(store, { deadlines: [{ deadline: 'd', inMs: 0 }] })
      const [due] = await whenDue(session, 1)
      await commit(store, { session, deadlines: [{ deadline: 'd', inMs: HOUR }] })
      const guards = [{ deadline: 'd', at: due?.at ?? null }]
      const late = await store.commit({ session, guards, events: events(1) })
      expect(late.outcome).toBe('conflict')
      const moved = await deadlineOf(store, session, 'd')
      expect(moved).toBeGreaterThan((due?.at ?? 0) + HOUR / 2)
      await commit(store, { session, guards: [{ deadline: 'd', at: moved }], events: events(1) })
    })

    it('are due in sessions of the server itself, whose ids nobody else can have', async () => {
      const { store } = opened()
      const session = internalSession('~contract')
      const epoch = newEpoch()
      const deadlines = [{ deadline: 'd', inMs: 0 }]
      await commit(store, { session, create: { epoch }, events: events(2), deadlines })
      expect(await whenDue(session, 1)).toMatchObject([{ session, deadline: 'd' }])
      expect(await headOf(store, session)).toMatchObject({ epoch, head: 2 })
      expect(await readAll(store, session)).toHaveLength(2)
      await forget(session)
    })

    it('may have any name, and are gone with their session', async () => {
      const { store } = opened()
      const names = ['__proto__', 'constructor', 'a b:c|d', '🚀', '{x}']
      const deadlines = names.map((deadline) => ({ deadline, inMs: 0 }))
      const { session } = await create(store, { deadlines })
      const due = await whenDue(session, names.length)
      expect(due.map(({ deadline }) => deadline).toSorted()).toEqual(names.toSorted())
      await store.remove(session)
      expect(await dueOf(session)).toEqual([])
    })
  })
}
