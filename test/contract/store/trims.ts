import { describe, expect, it } from 'vitest'
import type { TrimPolicy } from '../../../src/core/store.ts'
import type { Opened } from '../store.ts'
import {
  commit,
  create,
  event,
  events,
  eventually,
  expectChain,
  headOf,
  newSession,
  readAll,
} from './kit.ts'

const policy = (part: Partial<TrimPolicy>): TrimPolicy => ({
  maxEvents: null,
  maxBytes: null,
  maxAgeMs: null,
  notAfter: 1_000_000,
  limit: 1000,
  ...part,
})

export function describeTrims(opened: Opened): void {
  describe('trim', () => {
    it('keeps the newest events by count, and the floor carries the tag of the last one dropped', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(10) })
      const log = await readAll(store, session)
      const result = await store.trim(session, policy({ maxEvents: 4 }))
      expect(result).toEqual({ floor: 6, trimmed: 6, more: false })
      const head = await headOf(store, session)
      expect(head).toMatchObject({ head: 10, floor: 6, floorTag: log[5]?.tag })
      expect(await readAll(store, session)).toEqual(log.slice(6))
      expectChain(await readAll(store, session), head)
    })

    it('drops nothing while the guarded field is not what the policy says, present or absent', async () => {
      const { store } = opened()
      const writes = [{ field: 'kept', value: 'one' }]
      const { session } = await create(store, { events: events(10), writes })
      const trim = (field: string, equals: string | null) =>
        store.trim(session, policy({ maxEvents: 4, guard: { field, equals } }))
      for (const refused of [
        await trim('kept', 'two'),
        await trim('kept', null),
        await trim('never', 'x'),
      ]) {
        expect(refused).toEqual({ floor: 0, trimmed: 0, more: false })
      }
      expect(await trim('never', null)).toEqual({ floor: 6, trimmed: 6, more: false })
      const again = policy({ maxEvents: 2, guard: { field: 'kept', equals: 'one' } })
      expect(await store.trim(session, again)).toEqual({ floor: 8, trimmed: 2, more: false })
    })

    it('keeps the newest events by bytes of text', async () => {
      const { store } = opened()
      const { session } = await create(store, {
        events: [event('"ü"'), event('"🚀"'), event(), event()],
      })
      const sizes = (await readAll(store, session)).map(({ text }) => Buffer.byteLength(text))
      const lastTwo = (sizes[2] ?? 0) + (sizes[3] ?? 0)
      const exact = await store.trim(session, policy({ maxBytes: lastTwo }))
      expect(exact).toEqual({ floor: 2, trimmed: 2, more: false })
      const less = await store.trim(session, policy({ maxBytes: lastTwo - 1 }))
      expect(less).toEqual({ floor: 3, trimmed: 1, more: false })
      expect(await commit(store, { session })).toMatchObject({ floor: 3, bytes: sizes[3] })
    })

    it('drops what is older than the age, and nothing younger', async () => {
      const { store, advance } = opened()
      const { session } = await create(store, { events: events(3) })
      const young = await store.trim(session, policy({ maxAgeMs: 3_600_000 }))
      expect(young).toEqual({ floor: 0, trimmed: 0, more: false })
      advance?.(50)
      await eventually(async () => {
        expect(await store.trim(session, policy({ maxAgeMs: 20 }))).toMatchObject({ floor: 3 })
      })
      await commit(store, { session, events: events(1) })
      const rest = await store.trim(session, policy({ maxAgeMs: 3_600_000 }))
      expect(rest).toMatchObject({ floor: 3, trimmed: 0 })
    })

    it('never drops an event after notAfter, and does not ask for more on its account', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(10) })
      const result = await store.trim(session, policy({ maxEvents: 0, notAfter: 7 }))
      expect(result).toEqual({ floor: 7, trimmed: 7, more: false })
      const again = await store.trim(session, policy({ maxEvents: 0, notAfter: 3 }))
      expect(again).toEqual({ floor: 7, trimmed: 0, more: false })
    })

    it('drops at most the limit a call, and tells that there is more', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(10) })
      const calls = policy({ maxEvents: 3, limit: 4 })
      expect(await store.trim(session, calls)).toEqual({ floor: 4, trimmed: 4, more: true })
      expect(await store.trim(session, calls)).toEqual({ floor: 7, trimmed: 3, more: false })
      expect(await store.trim(session, calls)).toEqual({ floor: 7, trimmed: 0, more: false })
    })

    it('drops what any one of the limits asks for', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(5) })
      const result = await store.trim(session, policy({ maxEvents: 2, maxBytes: 1 << 20 }))
      expect(result).toMatchObject({ floor: 3 })
    })

    it('drops nothing without a limit of any kind, and knows no session that was not made', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(2) })
      expect(await store.trim(session, policy({}))).toEqual({ floor: 0, trimmed: 0, more: false })
      expect(await store.trim(newSession(), policy({}))).toBeNull()
    })

    it('of a whole log leaves head and tag, and the log goes on from there', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(3) })
      const before = await headOf(store, session)
      await store.trim(session, policy({ maxEvents: 0 }))
      const head = await headOf(store, session)
      expect(head).toEqual({ ...before, floor: 3, floorTag: before.tag })
      const next = await commit(store, { session, events: events(1) })
      expect(next).toMatchObject({ first: 4, last: 4, prev: before.tag, floor: 3 })
      expectChain(await readAll(store, session), await headOf(store, session))
    })

    it('goes on beside commits without a hole', async () => {
      const { store } = opened()
      const { session } = await create(store)
      const writing = Array.from({ length: 60 }, () =>
        commit(store, { session, events: events(2) }),
      )
      const trimming = Array.from({ length: 20 }, () =>
        store.trim(session, policy({ maxEvents: 10, limit: 7 })),
      )
      await Promise.all([...writing, ...trimming])
      expectChain(await readAll(store, session), await headOf(store, session))
    })
  })
}
