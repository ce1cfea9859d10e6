import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { Message } from '../../src/protocol/fold/message.ts'
import { follows, View, type ViewRest } from '../../src/protocol/fold/view.ts'
import type { Said } from './arbitrary-events.ts'
import { EPOCH, logOf, logs, START } from './event-logs.ts'
import { refold } from './refold.ts'

function fold(events: readonly WireEvent[], view = new View(START)): View {
  for (const event of events) expect(view.apply(event)).toBe(true)
  return view
}

const contentOf = (view: View) => ({ messages: [...view.messages.values()], ...view.rest() })

function folded(...said: Said[]) {
  return contentOf(fold(logOf(said)))
}

/** Through the wire: what a snapshot is by the time somebody restores it. */
function copy<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value
}

const started = (message: string, more: object = {}): Said => ({
  type: 'message.started',
  data: { message, role: 'assistant', ...more },
})
const delta = (message: string, more: object): Said => ({
  type: 'message.delta',
  data: { message, ...more },
})
const completed = (message: string, more: object = {}): Said => ({
  type: 'message.completed',
  data: { message, ...more },
})

const said = (type: string, data: unknown): Said => ({ type, data })
const run = (verb: string, data: object): Said => said(`run.${verb}`, data)

const ada = { member: 'ada-tab', subject: 'ada', kind: 'human', connected: true, visible: true }

describe('the same events give the same view [P-3.1]', () => {
  test('as the plainest fold that there is', () => {
    fc.assert(
      fc.property(logs, (events) => {
        expect(contentOf(fold(events))).toEqual(refold(events))
      }),
      { numRuns: 1000 },
    )
  })

  test('from a whole snapshot at any place', () => {
    fc.assert(
      fc.property(logs, fc.nat(40), (events, cut) => {
        const at = fold(events.slice(0, cut))
        const view = fold(logOf([{ type: 'x.other', data: 1 }]))
        view.restore(at.position, copy([...at.messages.values()]), copy(at.rest()))
        expect(contentOf(fold(events.slice(cut), view))).toEqual(contentOf(fold(events)))
      }),
      { numRuns: 500 },
    )
  })

  test('from a view of earlier and a snapshot of what changed since, in any pieces', () => {
    fc.assert(
      fc.property(logs, fc.nat(40), fc.nat(40), (events, one, other) => {
        const [early, late] = [Math.min(one, other, events.length), Math.max(one, other)]
        const view = fold(events.slice(0, early))
        const at = fold(events.slice(0, late))
        const changed = [...at.messages.values()].filter(({ serial }) => serial > early)
        view.restore(at.position, copy(changed), copy(at.rest()), early)
        expect(contentOf(view)).toEqual(contentOf(at))
        expect(contentOf(fold(events.slice(late), view))).toEqual(contentOf(fold(events)))
      }),
      { numRuns: 500 },
    )
  })

  test('from a stored snapshot whose messages are each newer than its header', () => {
    fc.assert(
      fc.property(logs, fc.nat(40), fc.array(fc.nat(40)), (events, cut, later) => {
        const header = fold(events.slice(0, cut))
        const messages = [...header.messages.keys()].map((id, i) => {
          const newer = fold(events.slice(0, Math.max(cut, later[i] ?? 0))).messages.get(id)
          if (newer === undefined) throw new Error('a message is never lost')
          return newer
        })
        const view = new View(START)
        view.restore(header.position, copy(messages), copy(header.rest()))
        expect(contentOf(fold(events.slice(cut), view))).toEqual(contentOf(fold(events)))
      }),
      { numRuns: 1000 },
    )
  })

  test('and change none of them, nor a view that was given away', () => {
    fc.assert(
      fc.property(logs, fc.nat(40), (events, cut) => {
        const frozen = events.map(deepFreeze)
        const view = fold(frozen.slice(0, cut))
        const before = contentOf(view)
        const as = structuredClone(before)
        fold(frozen.slice(cut), view)
        expect(before).toEqual(as)
      }),
    )
  })

  test('whatever comes twice, too late, too early or from another log', () => {
    const deliveries = fc.array(fc.record({ at: fc.nat(40), foreign: fc.boolean() }), {
      maxLength: 80,
    })
    fc.assert(
      fc.property(logs, deliveries, (events, schedule) => {
        const view = new View(START)
        let taken = 0
        for (const { at, foreign } of schedule) {
          const event = events[at % Math.max(1, Math.min(events.length, taken + 2))]
          if (event === undefined) continue
          const shown = foreign ? { ...event, prev: 'otherTag' } : event
          const next = !foreign && event.serial === taken + 1
          expect(follows(view.position, shown)).toBe(next)
          expect(view.apply(shown)).toBe(next)
          if (next) taken++
        }
        expect(contentOf(view)).toEqual(refold(events.slice(0, taken)))
        const last = events[taken - 1]
        expect(view.position).toEqual(
          last === undefined ? START : { epoch: EPOCH, serial: taken, tag: last.tag },
        )
      }),
      { numRuns: 500 },
    )
  })
})

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const inner of Object.values(value)) deepFreeze(inner)
    Object.freeze(value)
  }
  return value
}

describe('an event that makes no sense [P-3.1] [P-3.6]', () => {
  const before: Said[] = [
    started('open', { parts: [{ type: 'text', text: 'a' }] }),
    completed('done', { role: 'user' }),
    completed('gone', { role: 'user' }),
    { type: 'message.deleted', data: { message: 'gone' } },
    run('started', { run: 'ended', epoch: 1 }),
    run('finished', { run: 'ended', output: 42 }),
  ]
  const nonsense: [string, Said][] = [
    ['starts what exists', started('open', { parts: [] })],
    ['starts what is done', started('done')],
    ['starts what is deleted', started('gone')],
    ['adds to what was never started', delta('none', { text: 'x' })],
    ['adds to what is done', delta('done', { text: 'x' })],
    ['adds to what is deleted', delta('gone', { add: { type: 'text' } })],
    ['completes what was never started', completed('none')],
    ['completes what is done', completed('done', { parts: [] })],
    ['completes and starts what is done', completed('done', { role: 'user' })],
    ['completes what is deleted', completed('gone', { role: 'user' })],
    [
      'replaces what was never started',
      { type: 'message.replaced', data: { message: 'none', parts: [] } },
    ],
    [
      'replaces what is deleted',
      { type: 'message.replaced', data: { message: 'gone', parts: [] } },
    ],
    ['deletes what was never started', { type: 'message.deleted', data: { message: 'none' } }],
    [
      'deletes what is deleted',
      { type: 'message.deleted', data: { message: 'gone', reason: 'again' } },
    ],
    [
      'lets go whom nobody knows',
      { type: 'member.left', data: { member: 'none', reason: 'expired' } },
    ],
    ['is of a verb that nobody knows', { type: 'message.shouted', data: { message: 'open' } }],
    ['is of a noun that nobody knows', { type: 'weather.changed', data: null }],
    ['is of the application', { type: 'x.note', data: 'anything' }],
    ['starts a run that is there', run('started', { run: 'ended', epoch: 2 })],
    ['goes on with a run that is over', run('status', { run: 'ended', status: 'thinking' })],
    ['takes over a run that is over', run('resumed', { run: 'ended', epoch: 2 })],
    ['ends a run once more', run('cancelled', { run: 'ended' })],
    ['is of a run that was never started', run('finished', { run: 'none' })],
    ['starts a run without an epoch', run('started', { run: 'new' })],
    ['delivers an input that nobody sent', said('input.delivered', { input: 'none', run: 'r' })],
    [
      'answers what nobody asked',
      said('question.answered', { question: 'none', outcome: 'answered' }),
    ],
    ['deletes a key that is not set', said('state.deleted', { key: 'none', version: 2 })],
    ['sets a key without a version', said('state.set', { key: 'k', value: 1 })],
    ['acknowledges a delivery that is not there', said('delivery.acked', { delivery: 'none' })],
    ['is of a verb of a run that nobody knows', run('unheard', { run: 'ended', epoch: 9 })],
    ['has data of another kind', said('run.started', null)],
    ['has a list for data', said('input.received', ['i'])],
    ['has no noun', { type: 'message', data: {} }],
    ['is nothing', { type: '', data: undefined }],
  ]

  test.each(nonsense)('and %s changes nothing, but it is taken', (_, said) => {
    const log = logOf([...before, said])
    const view = fold(log)
    expect(contentOf(view)).toEqual(folded(...before))
    expect(view.position.serial).toBe(before.length + 1)
  })
})

describe('message.started [P-3.2]', () => {
  test('begins a message with its role, parts and metadata, by whoever appended it', () => {
    const said = {
      ...started('m', { parts: [{ type: 'text', text: 'Hi' }], metadata: { k: 1 } }),
      by: 'key:agent',
    }
    expect(folded(said).messages).toEqual([
      {
        id: 'm',
        role: 'assistant',
        parent: null,
        parts: [{ type: 'text', text: 'Hi' }],
        status: 'open',
        metadata: { k: 1 },
        by: 'key:agent',
        startedAt: 1010,
        updatedAt: 1010,
        first: 1,
        serial: 1,
      },
    ])
  })

  test('follows the tip where it names no parent; null makes a root', () => {
    const view = folded(started('a'), started('b'), started('c', { parent: null }), started('d'))
    expect(view.messages.map(({ id, parent }) => [id, parent])).toEqual([
      ['a', null],
      ['b', 'a'],
      ['c', null],
      ['d', 'c'],
    ])
    expect(view.tip).toBe('d')
  })

  test('of one parent twice is a fork, and both stay', () => {
    const view = folded(
      started('q'),
      started('one', { parent: 'q' }),
      started('two', { parent: 'q' }),
    )
    expect(view.messages.filter(({ parent }) => parent === 'q').map(({ id }) => id)).toEqual([
      'one',
      'two',
    ])
  })

  test('after a deleted message still follows it', () => {
    const gone: Said = { type: 'message.deleted', data: { message: 'a' } }
    expect(folded(started('a'), gone, started('b')).messages[1]?.parent).toBe('a')
  })
})

describe('message.delta [P-3.3]', () => {
  const partsAfter = (...deltas: object[]): unknown =>
    folded(started('m'), ...deltas.map((more) => delta('m', more))).messages[0]?.parts

  test('adds text to the last part when it has the type and no id', () => {
    expect(partsAfter({ text: 'Hel' }, { text: 'lo' })).toEqual([{ type: 'text', text: 'Hello' }])
    expect(partsAfter({ text: 'a', type: 'reasoning' }, { text: 'b', type: 'reasoning' })).toEqual([
      { type: 'reasoning', text: 'ab' },
    ])
  })

  test('makes a new part at the end where the last is of another type, or has an id', () => {
    expect(
      partsAfter({ text: 'a', type: 'reasoning' }, { text: 'b' }, { text: 'c', type: 'reasoning' }),
    ).toEqual([
      { type: 'reasoning', text: 'a' },
      { type: 'text', text: 'b' },
      { type: 'reasoning', text: 'c' },
    ])
    expect(partsAfter({ text: 'a', part: 'p' }, { text: 'b' })).toEqual([
      { type: 'text', text: 'a', id: 'p' },
      { type: 'text', text: 'b' },
    ])
  })

  test('adds text to the part that it names, wherever that stands', () => {
    expect(
      partsAfter(
        { text: 'a', part: 'p', type: 'reasoning' },
        { text: 'b' },
        { text: 'c', part: 'p' },
      ),
    ).toEqual([
      { type: 'reasoning', text: 'ac', id: 'p' },
      { type: 'text', text: 'b' },
    ])
  })

  test('adds text to a part that had none, and keeps its other fields', () => {
    expect(
      partsAfter({ add: { type: 'tool', id: 'p', state: 'call' } }, { text: 'x', part: 'p' }),
    ).toEqual([{ type: 'tool', id: 'p', state: 'call', text: 'x' }])
  })

  test('adds a part at the end, or in the place of the one with its id', () => {
    const call = { type: 'tool', id: 'p', state: 'call' }
    const result = { type: 'tool', id: 'p', state: 'result' }
    expect(
      partsAfter({ add: call }, { text: 'x' }, { add: result }, { add: { type: 'file' } }),
    ).toEqual([result, { type: 'text', text: 'x' }, { type: 'file' }])
  })
})

describe('message.completed [P-3.4]', () => {
  test.each(['completed', 'interrupted', 'failed'])('ends a message as %s', (status) => {
    expect(folded(started('m'), completed('m', { status })).messages[0]?.status).toBe(status)
  })

  test('replaces what the deltas built by parts, where it has any, and merges the metadata', () => {
    const before = [started('m', { metadata: { a: 1, b: 1 } }), delta('m', { text: 'draft' })]
    expect(
      folded(...before, completed('m', { metadata: { b: 2, c: 3 } })).messages[0],
    ).toMatchObject({
      status: 'completed',
      parts: [{ type: 'text', text: 'draft' }],
      metadata: { a: 1, b: 2, c: 3 },
    })
    const final = [{ type: 'text', text: 'final' }]
    expect(folded(...before, completed('m', { parts: final })).messages[0]?.parts).toEqual(final)
  })

  test('with a role is a whole message in one event', () => {
    const parts = [{ type: 'text', text: 'Hi' }]
    const view = folded(started('a'), completed('m', { role: 'user', parts, parent: null }))
    expect(view.tip).toBe('m')
    expect(view.messages[1]).toMatchObject({
      id: 'm',
      role: 'user',
      parent: null,
      parts,
      status: 'completed',
      first: 2,
      serial: 2,
    })
  })

  test('with a role ends an open message like any other, whose role stays', () => {
    const view = folded(started('m'), started('n'), completed('m', { role: 'user' }))
    expect(view.messages[0]).toMatchObject({ status: 'completed', role: 'assistant', first: 1 })
    expect(view.tip).toBe('n')
  })
})

describe('message.replaced and message.deleted [P-3.5]', () => {
  const parts = [{ type: 'text', text: 'new' }]
  const replaced = (more: object = {}): Said => ({
    type: 'message.replaced',
    data: { message: 'm', parts, ...more },
  })

  test('new content takes the place of the old, whether the message is complete or not', () => {
    expect(folded(started('m', { metadata: { a: 1 } }), replaced()).messages[0]).toMatchObject({
      status: 'open',
      parts,
      metadata: { a: 1 },
    })
    const view = folded(
      started('m', { metadata: { a: 1 } }),
      completed('m'),
      replaced({ metadata: { b: 2 } }),
    )
    expect(view.messages[0]).toMatchObject({ status: 'completed', parts, metadata: { b: 2 } })
  })

  test('a deleted message is empty, says why, and keeps its place', () => {
    const gone: Said = { type: 'message.deleted', data: { message: 'b', reason: 'asked' } }
    const view = folded(
      started('a'),
      started('b', { parts, metadata: { k: 1 } }),
      started('c'),
      gone,
    )
    expect(view.messages[1]).toMatchObject({
      id: 'b',
      parent: 'a',
      status: 'deleted',
      parts: [],
      metadata: { reason: 'asked' },
      first: 2,
      serial: 4,
    })
    expect(view.messages[2]?.parent).toBe('b')
  })
})

describe('the rest of the view [P-3.7]', () => {
  test('holds the members as they were seen last', () => {
    const left: Said = { type: 'member.left', data: { member: 'bob-tab', reason: 'detached' } }
    const view = folded(
      { type: 'member.entered', data: ada },
      { type: 'member.entered', data: { ...ada, member: 'bob-tab' } },
      { type: 'member.updated', data: { ...ada, connected: false } },
      left,
    )
    expect(view.members).toEqual([{ ...ada, connected: false }])
  })

  test('holds the metadata, and when the session was created and closed', () => {
    const said: Said[] = [
      { type: 'session.created', data: { metadata: { title: 'a' } } },
      { type: 'session.updated', data: { metadata: { topic: 'b' } } },
      { type: 'session.closed', data: {} },
    ]
    expect(folded(...said.slice(0, 1))).toMatchObject({
      metadata: { title: 'a' },
      createdAt: 1010,
      closedAt: null,
    })
    expect(folded(...said)).toMatchObject({
      metadata: { topic: 'b' },
      createdAt: 1010,
      closedAt: 1030,
    })
    expect(folded({ type: 'session.created', data: {} }).metadata).toEqual({})
  })
})

describe('a snapshot [P-4.5]', () => {
  const rest: ViewRest = { tip: null, members: [], metadata: {}, createdAt: null, closedAt: null }

  test('takes the place of all that was there; with since, it is merged by id', () => {
    const events = logOf([started('a'), started('b'), { type: 'member.entered', data: ada }])
    const view = fold(events)
    const b = view.messages.get('b')
    const newer: Message[] = b === undefined ? [] : [{ ...b, status: 'completed', serial: 9 }]
    const position = { ...view.position, serial: 9 }
    view.restore(position, newer, { ...rest, tip: 'b' }, 3)
    expect([...view.messages.values()].map(({ id, status }) => [id, status])).toEqual([
      ['a', 'open'],
      ['b', 'completed'],
    ])
    expect(contentOf(view)).toMatchObject({ tip: 'b', members: [] })
    expect(view.position).toEqual(position)
    view.restore(position, newer, rest)
    expect([...view.messages.keys()]).toEqual(['b'])
  })
})

test('names that bite are names like any other', () => {
  const metadata = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as object
  const view = folded(
    { type: 'session.created', data: { metadata } },
    started('constructor', { metadata }),
    completed('constructor', { metadata }),
    started('toString'),
  )
  expect(view.messages.map(({ id }) => id)).toEqual(['constructor', 'toString'])
  expect(JSON.stringify(view.metadata)).toBe(JSON.stringify(metadata))
  expect('polluted' in {}).toBe(false)
})
