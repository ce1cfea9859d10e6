import { describe, expect, it } from 'vitest'
import type { Opened } from '../store.ts'
import { commit, committed, create, event, events, expectChain, headOf, readAll } from './kit.ts'

export function describeConcurrency(opened: Opened): void {
  describe('concurrent commits', () => {
    it('to one session get dense serials, and each answer names its own events', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const batches = Array.from({ length: 150 }, (_, index) => events(1 + (index % 3)))
      const answers = await Promise.all(
        batches.map((news) => commit(store, { session, events: news })),
      )
      const log = await readAll(store, session)
      expectChain(log, await headOf(store, session))
      for (const [index, answer] of answers.entries()) {
        const own = log.slice(answer.first - 1, answer.last)
        expect(own.map(({ tag }) => tag)).toEqual(batches[index]?.map(({ tag }) => tag))
        expect([own[0]?.prev, own.at(-1)?.tag]).toEqual([answer.prev, answer.tag])
      }
    })

    it('to many sessions do not mix', async () => {
      const { store } = opened()
      const sessions = await Promise.all(Array.from({ length: 20 }, () => create(store)))
      await Promise.all(
        Array.from({ length: 200 }, (_, index) => {
          const { session } = sessions[index % 20] as (typeof sessions)[number]
          return commit(store, { session, events: [event(JSON.stringify(session))] })
        }),
      )
      for (const { session } of sessions) {
        const log = await readAll(store, session)
        expect(log).toHaveLength(10)
        expect(log.every(({ text }) => text.includes(JSON.stringify(session)))).toBe(true)
      }
    })

    it('leave refused ones among them without a trace', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: [event('1', 'known')] })
      const results = await Promise.all(
        Array.from({ length: 90 }, (_, index) => {
          if (index % 3 === 0) return store.commit({ session, events: [event('1', 'known')] })
          if (index % 3 === 1)
            return store.commit({ session, guards: [{ field: 'no', equals: '1' }] })
          return store.commit({ session, events: events(2) })
        }),
      )
      const accepted = results.filter(({ outcome }) => outcome === 'committed')
      expect(accepted).toHaveLength(30)
      expect((await headOf(store, session)).head).toBe(1 + 60)
      expectChain(await readAll(store, session), await headOf(store, session))
    })

    it('are seen by readers as whole pages: the last event is the head of the same answer', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const writing = Array.from({ length: 100 }, () =>
        store.commit({ session, events: events(3) }),
      )
      const reading = Array.from({ length: 30 }, async () => {
        await writing[0]
        const page = await store.read(session, { after: 0, limit: 1000, maxBytes: 1 << 24 })
        const last = page?.events.at(-1)
        expect([last?.serial, last?.tag]).toEqual([page?.head, page?.tag])
      })
      await Promise.all(reading)
      for (const result of await Promise.all(writing)) committed(result)
    })
  })
}
