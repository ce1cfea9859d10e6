import { describe, expect, it } from 'vitest'
import type { Wake } from '../../../src/core/signals.ts'
import type { Opened } from '../store.ts'
import { commit, create, event, events, eventually, listen, readAll } from './kit.ts'

type CommittedWake = Extract<Wake, { kind: 'committed' }>
const commits = (heard: readonly Wake[]): CommittedWake[] =>
  heard.filter((wake) => wake.kind === 'committed')
/** Every serial that the wake-ups name. */
const named = (heard: readonly Wake[]): Set<number> =>
  new Set(
    commits(heard).flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, index) => first + index),
    ),
  )

export function describeWakes(opened: Opened): void {
  describe('subscribers', () => {
    it('are woken by a commit, with the epoch and the serials of its events', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store)
      const { heard, close } = await listen(opened(), session)
      await commit(store, { session, events: events(3) })
      await eventually(() => expect(named(heard)).toEqual(new Set([1, 2, 3])))
      expect(commits(heard).every((wake) => wake.epoch === epoch)).toBe(true)
      close()
    })

    it('get all events of a wake-up or none of them, just as read gives them', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const { heard, close } = await listen(opened(), session)
      await Promise.all(
        Array.from({ length: 30 }, () => commit(store, { session, events: events(2) })),
      )
      await commit(store, {
        session,
        events: [event('"ünïcödé 🚀 \\u0000"'), event(`"${'x'.repeat(70_000)}"`)],
      })
      await eventually(() => expect(named(heard).size).toBe(62))
      const log = await readAll(store, session)
      for (const wake of commits(heard)) {
        if (wake.events.length > 0)
          expect(wake.events).toEqual(log.slice(wake.first - 1, wake.last))
      }
      close()
    })

    it('are not woken by a refusal, nor by a commit without events', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: [event('1', 'known')] })
      const { heard, close } = await listen(opened(), session)
      await store.commit({ session, events: [event('1', 'known')] })
      await store.commit({ session, events: events(1), guards: [{ field: 'a', equals: '1' }] })
      await commit(store, {
        session,
        writes: [{ field: 'a', value: '1' }],
        deadlines: [{ deadline: 'd', inMs: null }],
      })
      await commit(store, { session, events: events(1) })
      await eventually(() => expect(named(heard)).toContain(2))
      expect(heard.map((wake) => wake.kind === 'committed' && [wake.first, wake.last])).toEqual([
        [2, 2],
      ])
      close()
    })

    it('hear of the first events of a session that is made while they wait', async () => {
      const { store } = opened()
      const { session } = await create(store)
      await store.remove(session)
      const { heard, close } = await listen(opened(), session)
      const epoch = 'epoch-next' as CommittedWake['epoch']
      await commit(store, { session, create: { epoch }, events: events(1) })
      await eventually(() => expect(commits(heard)).toMatchObject([{ epoch, first: 1, last: 1 }]))
      close()
    })

    it('are told that the session was removed, and not when nothing was', async () => {
      const { store } = opened()
      const { session } = await create(store, { deadlines: [{ deadline: 'd', inMs: 3_600_000 }] })
      const { heard, close } = await listen(opened(), session)
      await store.remove(session, { deadline: 'd', at: 1 })
      await commit(store, { session, events: events(1) })
      await eventually(() => expect(named(heard)).toContain(1))
      expect(heard.filter(({ kind }) => kind === 'removed')).toHaveLength(0)
      await store.remove(session)
      await eventually(() => expect(heard.at(-1)).toEqual({ kind: 'removed' }))
      close()
    })

    it('hear signals of their session, and of no other', async () => {
      const { store, signals } = opened()
      const one = await create(store)
      const two = await create(store)
      const first = await listen(opened(), one.session)
      const second = await listen(opened(), two.session)
      signals.send(one.session, 'to one 🚀')
      signals.send(two.session, 'to two')
      await eventually(() => {
        expect(first.heard).toEqual([{ kind: 'signal', payload: 'to one 🚀' }])
        expect(second.heard).toEqual([{ kind: 'signal', payload: 'to two' }])
      })
      first.close()
      second.close()
    })

    it('are many, each until it closes, which it may do twice', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const staying = await listen(opened(), session)
      const leaving = await listen(opened(), session)
      leaving.close()
      leaving.close()
      await commit(store, { session, events: events(1) })
      await eventually(() => expect(named(staying.heard)).toContain(1))
      expect(leaving.heard).toEqual([])
      staying.close()
    })
  })
}
