import { describe, expect, it } from 'vitest'
import { GENESIS_TAG } from '../../../src/protocol/ids.ts'
import type { Opened } from '../store.ts'
import { create, event, events, headOf, newSession, readAll } from './kit.ts'

const MANY = 1 << 20

export function describeReads(opened: Opened): void {
  describe('read', () => {
    it('gives the events after a serial, in order, at most the limit', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(10) })
      const page = await store.read(session, { after: 3, limit: 4, maxBytes: MANY })
      expect(page?.events.map(({ serial }) => serial)).toEqual([4, 5, 6, 7])
      expect(page).toMatchObject(await headOf(store, session))
    })

    it('gives a page of 1,000', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(1000) })
      const page = await store.read(session, { after: 0, limit: 1000, maxBytes: MANY })
      expect(page?.events.map(({ serial }) => serial)).toEqual(events(1000).map((_, i) => i + 1))
    })

    it('stops before maxBytes of text would be passed', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        events: [event('"ü"'), event('"🚀"'), event(), event()],
      })
      const log = await readAll(store, session)
      const bytes = log.map(({ text }) => Buffer.byteLength(text))
      const two = (bytes[0] ?? 0) + (bytes[1] ?? 0)
      const read = async (maxBytes: number) =>
        (await store.read(session, { after: 0, limit: 10, maxBytes }))?.events.length
      expect(await read(two)).toBe(2)
      expect(await read(two - 1)).toBe(1)
      expect(await read(bytes.reduce((a, b) => a + b, 0))).toBe(4)
    })

    it('gives at least one event, however large, if there is one', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: [event(`"${'x'.repeat(5000)}"`), event()] })
      const page = await store.read(session, { after: 0, limit: 10, maxBytes: 1 })
      expect(page?.events.map(({ serial }) => serial)).toEqual([1])
    })

    it('gives no events at the head and beyond it, but the head', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(3) })
      const head = await headOf(store, session)
      for (const after of [3, 4, 1_000_000_000]) {
        const page = await store.read(session, { after, limit: 10, maxBytes: MANY })
        expect(page).toEqual({ ...head, events: [] })
      }
    })

    it('gives what is left above the floor to a reader below it', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(6) })
      const policy = { maxEvents: 2, maxBytes: null, maxAgeMs: null, notAfter: 6, limit: 100 }
      await store.trim(session, policy)
      const page = await store.read(session, { after: 1, limit: 10, maxBytes: MANY })
      expect(page?.events.map(({ serial }) => serial)).toEqual([5, 6])
      expect(page?.floor).toBe(4)
    })

    it('knows a session without events, and none that was not made', async () => {
      const { store } = opened()
      const { session, epoch } = await create(store)
      const floor = { floor: 0, floorTag: GENESIS_TAG }
      const empty = { epoch, head: 0, tag: GENESIS_TAG, ...floor, events: [] }
      expect(await store.read(session, { after: 0, limit: 10, maxBytes: MANY })).toEqual(empty)
      expect(await store.read(newSession(), { after: 0, limit: 10, maxBytes: MANY })).toBeNull()
    })

    it('sees a commit as soon as it is answered', async () => {
      const { store } = opened()
      const { session } = await create(store)
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const answer = await store.commit({ session, events: events(1) })
          if (answer.outcome !== 'committed') throw new Error(`unexpected ${answer.outcome}`)
          const range = { after: answer.first - 1, limit: 1, maxBytes: MANY }
          expect((await store.read(session, range))?.events[0]?.tag).toBe(answer.tag)
        }),
      )
    })
  })

  describe('heads', () => {
    it('come in the order asked, null for each session that does not exist', async () => {
      const { store } = opened()
      const one = await create(store, { events: events(1) })
      const two = await create(store, { events: events(2) })
      const asked = [two.session, newSession(), one.session, two.session]
      const heads = await store.heads(asked)
      expect(heads.map((head) => head?.head ?? null)).toEqual([2, null, 1, 2])
      expect(heads[2]).toEqual({
        epoch: one.epoch,
        head: 1,
        tag: one.committed.tag,
        floor: 0,
        floorTag: GENESIS_TAG,
      })
    })

    it('are given for none and for 500', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(1) })
      expect(await store.heads([])).toEqual([])
      const heads = await store.heads(Array.from({ length: 500 }, () => session))
      expect(heads.map((head) => head?.head)).toEqual(Array.from({ length: 500 }, () => 1))
    })
  })

  describe('fields', () => {
    it('are null where not set, and null as a whole without a session', async () => {
      const { store } = opened()
      const { session } = await create(store, { writes: [{ field: 'a', value: '1' }] })
      expect(await store.fields(session, ['b', 'a'])).toEqual(
        new Map([
          ['b', null],
          ['a', '1'],
        ]),
      )
      expect(await store.fields(session, [])).toEqual(new Map())
      expect(await store.fields(newSession(), ['a'])).toBeNull()
      expect(await store.fields(newSession(), [])).toBeNull()
    })

    it('are given for 1,000 names', async () => {
      const { store } = opened()
      const names = Array.from({ length: 1000 }, (_, index) => `field-${index}`)
      const writes = names.map((field) => ({ field, value: field }))
      const { session } = await create(store, { writes })
      expect(await store.fields(session, names)).toEqual(new Map(names.map((name) => [name, name])))
    })
  })
}
