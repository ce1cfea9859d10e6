import { describe, expect, it } from 'vitest'
import { encodeEvent } from '../../../src/protocol/codec.ts'
import { GENESIS_TAG } from '../../../src/protocol/ids.ts'
import type { Opened } from '../store.ts'
import {
  commit,
  create,
  event,
  events,
  expectChain,
  headOf,
  newEpoch,
  newSession,
  newTag,
  producer,
} from './kit.ts'
import { readAll, snapshot } from './kit.ts'

export function describeCommits(opened: Opened): void {
  describe('commit', () => {
    it('makes a session that begins before serial 1, at the genesis tag', async () => {
      const { store } = opened()
      const { session, epoch, committed } = await create(store)
      expect(committed).toMatchObject({ epoch, first: 1, last: 0, floor: 0, bytes: 0 })
      expect(committed).toMatchObject({ prev: GENESIS_TAG, tag: GENESIS_TAG })
      expect(await headOf(store, session)).toEqual({
        epoch,
        head: 0,
        tag: GENESIS_TAG,
        floor: 0,
        floorTag: GENESIS_TAG,
      })
    })

    it('makes a session and appends to it in the same step', async () => {
      const { store } = opened()
      const [one, two] = [event(), event()]
      const { session, epoch, committed } = await create(store, { events: [one, two] })
      expect(committed).toMatchObject({ epoch, first: 1, last: 2, prev: GENESIS_TAG, tag: two.tag })
      const log = await readAll(store, session)
      expect(log.map(({ serial, tag, prev }) => ({ serial, tag, prev }))).toEqual([
        { serial: 1, tag: one.tag, prev: GENESIS_TAG },
        { serial: 2, tag: two.tag, prev: one.tag },
      ])
    })

    it('links each event to the tag before it, over commits', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(2) })
      const before = await headOf(store, session)
      const result = await commit(store, { session, events: events(3) })
      expect(result).toMatchObject({ first: 3, last: 5, prev: before.tag })
      const head = await headOf(store, session)
      expect(head.tag).toBe(result.tag)
      expectChain(await readAll(store, session), head)
    })

    it('gives the events of one commit the same time, and it in the answer', async () => {
      const { store } = opened()
      const { session, committed } = await create(store, { events: events(3) })
      const log = await readAll(store, session)
      expect(new Set(log.map((stored) => stored.at))).toEqual(new Set([committed.at]))
    })

    it('never lets the time of a log fall, even when the clock does', async ({ skip }) => {
      const { store, advance } = opened()
      skip(advance === undefined, 'this store goes by a clock that tests cannot move')
      const { session, committed } = await create(store, { events: events(1) })
      advance?.(-60_000)
      const second = await commit(store, { session, events: events(1) })
      advance?.(60_000)
      const third = await commit(store, { session, events: events(1) })
      expect(second.at).toBe(committed.at)
      expect(third.at).toBeGreaterThanOrEqual(second.at)
      expectChain(await readAll(store, session), await headOf(store, session))
    })

    it('keeps a body byte for byte, behind the head that it got', async () => {
      const { store } = opened()
      const bodies = AWKWARD.map(
        (raw) => `"type":"x.a","id":"i","by":{"subject":"s"},"data":${raw}}`,
      )
      const news = bodies.map((body) => ({ tag: newTag(), body }))
      const { session } = await create(store, { events: news })
      const log = await readAll(store, session)
      expect(log.map(({ text }) => text)).toEqual(
        log.map((stored, index) => encodeEvent(stored, bodies[index] ?? '')),
      )
    })

    it.each([
      ['what an append may bring', 1000],
      ['the end of 100 runs with 50 open messages each', 5100],
      ['the end of all that a session may have open', 16_000],
    ])('takes %s at once: %i events, each with a guard and a write', async (_, count) => {
      const { store } = opened()
      const fields = Array.from({ length: count }, (__, n) => `m${n}`)
      const { session } = await create(store, {
        writes: fields.map((field) => ({ field, value: 'open' })),
      })
      const end = {
        session,
        guards: fields.map((field) => ({ field, equals: 'open' })),
        events: events(count),
        writes: fields.map((field) => ({ field, value: 'completed' })),
      }
      expect(await commit(store, end)).toMatchObject({ first: 1, last: count })
      const log = await readAll(store, session)
      expect(log).toHaveLength(count)
      expectChain(log, await headOf(store, session))
      const [first = '', last = ''] = [fields[0], fields.at(-1)]
      const written = [first, last].map((field) => [field, 'completed'] as const)
      expect(await store.fields(session, [first, last])).toEqual(new Map(written))
      const again = await store.commit({ ...end, events: events(count) })
      if (again.outcome !== 'conflict') throw new Error(`expected a conflict; got ${again.outcome}`)
      expect(again.fields.size).toBe(count)
    })

    it('tells the bytes of text that the log holds, in UTF-8', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: [event('"plain"'), event('"ünïcödé 🚀"')] })
      const { bytes } = await commit(store, { session, events: [event('"third"')] })
      const log = await readAll(store, session)
      expect(bytes).toBe(log.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0))
    })

    it('changes the record alone when there are no events: no serial, the same head', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(2) })
      const before = await headOf(store, session)
      const result = await commit(store, {
        session,
        writes: [{ field: 'a', value: '1' }],
        deadlines: [{ deadline: 'd', inMs: 3_600_000 }],
      })
      expect(result).toMatchObject({ first: 3, last: 2, prev: before.tag, tag: before.tag })
      expect(await headOf(store, session)).toEqual(before)
      expect(await store.fields(session, ['a'])).toEqual(new Map([['a', '1']]))
    })

    it('sets, replaces and removes fields, whatever their names', async () => {
      const { store } = opened()
      const values = NAMES.map((field, index) => ({ field, value: `v${index}` }))
      const { session } = await create(store, { writes: values })
      expect(await store.fields(session, NAMES)).toEqual(
        new Map(values.map((w) => [w.field, w.value])),
      )
      await commit(store, { session, writes: NAMES.map((field) => ({ field, value: '' })) })
      expect(await store.fields(session, NAMES)).toEqual(new Map(NAMES.map((name) => [name, ''])))
      await commit(store, { session, writes: NAMES.map((field) => ({ field, value: null })) })
      expect(await store.fields(session, NAMES)).toEqual(new Map(NAMES.map((name) => [name, null])))
    })

    it('keeps large field values byte for byte', async () => {
      const { store } = opened()
      const value = `${'ä🚀"\\'.repeat(40_000)}\n`
      const { session } = await create(store, { writes: [{ field: 'view', value }] })
      expect((await store.fields(session, ['view']))?.get('view')).toBe(value)
    })
  })

  describe('commit refuses', () => {
    it('a session that does not exist, as missing, and makes nothing', async () => {
      const { store } = opened()
      const session = newSession()
      expect(await store.commit({ session, events: events(1) })).toEqual({ outcome: 'missing' })
      expect(await store.heads([session])).toEqual([null])
    })

    it('to create a session that exists', async () => {
      const { store } = opened()
      const { session } = await create(store, { events: events(1) })
      const before = await snapshot(store, session)
      const again = { session, create: { epoch: newEpoch() }, events: events(1) }
      expect(await store.commit(again)).toEqual({ outcome: 'exists' })
      expect(await snapshot(store, session)).toEqual(before)
    })

    it('to create when a guard does not hold, and makes nothing', async () => {
      const { store } = opened()
      const session = newSession()
      const guards = [{ field: 'a', equals: '1' }]
      const result = await store.commit({ session, create: { epoch: newEpoch() }, guards })
      expect(result.outcome).toBe('conflict')
      expect(await store.heads([session])).toEqual([null])
    })

    it('in the order existence, producer, dedupe, guards', async () => {
      const { store } = opened()
      const p = { id: producer('p'), epoch: 2, seq: 1, count: 1 }
      const { session } = await create(store, { producer: p, events: [event('1', 'known')] })
      const wrong = {
        session,
        producer: { ...p, epoch: 1 },
        events: [event('1', 'known')],
        guards: [{ field: 'a', equals: 'never' }],
      }
      const outcome = async (request: Parameters<typeof store.commit>[0]) =>
        (await store.commit(request)).outcome
      expect(await outcome({ ...wrong, session: newSession() })).toBe('missing')
      expect(await outcome({ ...wrong, create: { epoch: newEpoch() } })).toBe('exists')
      expect(await outcome(wrong)).toBe('fenced')
      expect(await outcome({ ...wrong, producer: p })).toBe('replayed')
      expect(await outcome({ ...wrong, producer: { ...p, seq: 3 } })).toBe('gap')
      expect(await outcome({ ...wrong, producer: { ...p, seq: 2 } })).toBe('duplicate')
      expect(await outcome({ ...wrong, producer: { ...p, seq: 2 }, events: events(1) })).toBe(
        'conflict',
      )
    })

    it('without a trace: whatever refused, log, record, deadlines, producers and ids are as before', async () => {
      const { store } = opened()
      const p = { id: producer('p'), epoch: 2, seq: 5, count: 1 }
      const { session } = await create(store, {
        producer: p,
        events: [event('1', 'known')],
        writes: [{ field: 'a', value: '1' }],
      })
      const before = await snapshot(store, session, ['a', 'b'])
      const effects = {
        session,
        writes: [
          { field: 'a', value: null },
          { field: 'b', value: '2' },
        ],
        deadlines: [{ deadline: 'd', inMs: 0 }],
      }
      const fresh = () => event('1', 'fresh')
      const refused = [
        { ...effects, events: [fresh()], producer: { ...p, epoch: 1 } },
        { ...effects, events: [fresh()], producer: { ...p, seq: 7 } },
        { ...effects, events: [fresh()], producer: p },
        {
          ...effects,
          events: [fresh(), event('1', 'known')],
          producer: { ...p, epoch: 3, count: 2 },
        },
        {
          ...effects,
          events: [fresh()],
          guards: [{ field: 'a', equals: null }],
          producer: { ...p, epoch: 3 },
        },
      ]
      for (const request of refused) {
        expect((await store.commit(request)).outcome).not.toBe('committed')
        expect(await snapshot(store, session, ['a', 'b'])).toEqual(before)
      }
      const deadline = { deadline: 'd', at: null }
      const next = { session, guards: [deadline], events: [fresh()], producer: { ...p, seq: 6 } }
      expect(await commit(store, next)).toMatchObject({ first: 2, last: 2 })
    })
  })
}

/** Names that mean something to a language, a store or a terminal. */
export const NAMES = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'a b',
  'a:b|c,d',
  '{tag}',
  "it's; drop table events",
  'ünïcödé 🚀',
  '0',
  '-1',
  'nul\0inside',
]

const AWKWARD = [
  '"plain"',
  '"ünïcödé, 漢字, 🚀👩‍👩‍👧, \u2028 \u2029"',
  '"escaped \\u0000 \\ud83d\\ude80 \\/ \\u2028"',
  '123456789012345678901234567890.000e+10',
  '{"b":1,"a":2,"a":3,"":{"__proto__":1}}',
  '  [ 1 ,\t2 ]  ',
  `"${'x'.repeat(70_000)}"`,
  `"${'漢'.repeat(30_000)}"`,
  'null',
]
