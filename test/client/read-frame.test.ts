import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFrame, readFrame } from '../../src/client/read-frame.ts'
import { View } from '../../src/protocol/fold/view.ts'
import { DOWN_FRAMES, RESET_REASONS, type DownType } from '../../src/protocol/frames-down.ts'
import { logOf, logs, START } from '../protocol/event-logs.ts'

/** One of each that stays in a view. */
const EVERY_NOUN = [
  { type: 'run.started', data: { run: 'r', epoch: 1, agent: 'a' } },
  { type: 'input.received', data: { input: 'i', mode: 'queue' } },
  { type: 'question.asked', data: { question: 'q', prompt: 'Sure?' } },
  { type: 'state.set', data: { key: 'k', version: 1, value: null } },
  { type: 'effect.reserved', data: { effect: 'e', run: 'r', attempt: 1 } },
  { type: 'delivery.pending', data: { delivery: 'd', run: 'r', to: 'ada' } },
  { type: 'control.taken', data: { subject: 'ada', kind: 'human' } },
]

const text = fc.string({ maxLength: 8 })
const number = fc.integer()
const session = text
const ref = text
const json = fc.jsonValue({ maxDepth: 2 })
const facts = fc.dictionary(text, json, { maxKeys: 3 })
type Fields = Record<string, fc.Arbitrary<unknown>>
const maybe = (required: Fields, rest: Fields = {}) =>
  fc.record({ ...required, ...rest }, { requiredKeys: Object.keys(required) })

const event = maybe({
  serial: number,
  tag: text,
  prev: text,
  at: number,
  type: text,
  id: text,
  by: maybe({ subject: text }, { run: text, member: text }),
  data: json,
})
const part = maybe({ type: fc.string({ minLength: 1, maxLength: 8 }) }, { text })
const message = maybe({
  id: text,
  role: text,
  parent: fc.option(text),
  parts: fc.array(part, { maxLength: 3 }),
  status: text,
  metadata: facts,
  by: text,
  startedAt: number,
  updatedAt: number,
  first: number,
  serial: number,
})
const member = maybe(
  { member: text, subject: text, kind: text, connected: fc.boolean(), visible: fc.boolean() },
  { status: text, data: facts },
)
const some = (one: fc.Arbitrary<unknown>) => fc.array(one, { maxLength: 2 })
const name = fc.option(text)
const time = fc.option(number)
const run = maybe({
  id: text,
  epoch: number,
  agent: name,
  trigger: name,
  status: text,
  step: name,
  detail: name,
  checkpoint: json,
  output: json,
  error: fc.option(maybe({ message: text }, { code: text })),
  metadata: facts,
  by: text,
  startedAt: number,
  updatedAt: number,
  serial: number,
})
const input = maybe({
  id: text,
  mode: text,
  run: name,
  message: name,
  data: json,
  expiresAt: time,
  by: text,
  at: number,
  serial: number,
})
const question = maybe({
  id: text,
  run: name,
  prompt: text,
  schema: fc.option(facts),
  data: json,
  expiresAt: time,
  status: text,
  answer: json,
  answeredBy: name,
  askedAt: number,
  serial: number,
})
const entry = maybe({ key: text, version: number, value: json })
const effect = maybe({
  id: text,
  run: text,
  tool: name,
  status: text,
  at: number,
  serial: number,
})
const delivery = maybe({ id: text, run: text, to: text, status: text, serial: number, at: number })
const controller = fc.option(maybe({ subject: text, kind: text }, { member: text }))
const rest = maybe(
  {
    tip: name,
    members: fc.array(member, { maxLength: 3 }),
    metadata: facts,
    createdAt: time,
    closedAt: time,
  },
  {
    runs: some(run),
    inputs: some(input),
    questions: some(question),
    state: some(entry),
    effects: some(effect),
    deliveries: some(delivery),
    controller,
  },
)

const FRAMES: Record<DownType, fc.Arbitrary<unknown>> = {
  welcome: maybe(
    {
      connection: text,
      subject: text,
      expiresAt: fc.option(number),
      heartbeatMs: number,
      limits: maybe({
        maxFrameBytes: number,
        maxEventBytes: number,
        maxSessions: number,
        framesPerSecond: number,
      }),
    },
    { ref },
  ),
  attached: maybe(
    { ref, session, mode: fc.constantFrom('resumed', 'snapshot'), head: text },
    { member: text },
  ),
  reset: maybe({
    session,
    reason: fc.constantFrom(...RESET_REASONS),
    floor: number,
    head: text,
    position: text,
  }),
  snapshot: maybe(
    { session, position: text, messages: fc.array(message, { maxLength: 3 }), last: fc.boolean() },
    { since: number, rest },
  ),
  events: maybe({ session, events: fc.array(event, { maxLength: 3 }) }),
  detached: maybe({ ref, session }),
  ack: maybe(
    {
      ref,
      session,
      epoch: text,
      first: number,
      last: number,
      duplicates: number,
      durability: fc.constantFrom('memory', 'async', 'fsync', 'replicated'),
    },
    { serials: fc.array(fc.option(number), { maxLength: 3 }) },
  ),
  ok: maybe({ ref }, { member: text }),
  pong: maybe({ ref }),
  heartbeat: maybe({ at: number, heads: fc.dictionary(text, text, { maxKeys: 3 }) }),
  signal: maybe({ session, name: text, by: maybe({ subject: text }) }, { data: json }),
  expiring: maybe({ expiresAt: number }),
  goaway: maybe({ reason: text, afterMs: number }),
  error: maybe(
    { ref: fc.option(ref), code: text, message: text, retryable: fc.boolean() },
    { session, retryAfterMs: number, facts },
  ),
}
const TYPES = Object.keys(DOWN_FRAMES) as DownType[]
const frameOf = (type: DownType) =>
  FRAMES[type].map((body): Record<string, unknown> => ({ ...(body as object), type }))

/** Values of enumerations are the guard's to let through: a newer server may have more of them. */
const OPEN = new Set(['mode', 'reason', 'durability'])

describe('the guard of what the server sends', () => {
  test.each(TYPES)('takes every valid %s, as it is', (type) => {
    fc.assert(
      fc.property(frameOf(type), (frame) => {
        expect(DOWN_FRAMES[type].safeParse(frame).success).toBe(true)
        expect(readFrame(frame)).toBe(frame)
      }),
    )
  })

  test.each(TYPES)('refuses what the schema of %s refuses, field by field', (type) => {
    const garbage = fc.constantFrom<unknown>(
      undefined,
      null,
      7,
      'text',
      true,
      [],
      {},
      [7],
      { a: 7 },
      Number.NaN,
    )
    fc.assert(
      fc.property(frameOf(type), fc.nat(), garbage, (frame, at, value) => {
        const keys = Object.keys(frame).filter((key) => key !== 'type')
        const key = keys[at % keys.length]
        if (key === undefined || (OPEN.has(key) && typeof value === 'string')) return
        const broken = { ...frame, [key]: value }
        const valid = DOWN_FRAMES[type].safeParse(broken).success
        // The guard asks more where the fold would stumble: it never takes what the schema refuses.
        if (!valid) expect(readFrame(broken)).toBeNull()
      }),
      { numRuns: 500 },
    )
  })

  test('fields that it does not know are left alone; types that it does not know are no frames', () => {
    expect(readFrame({ type: 'pong', ref: 'r', more: 1 })).toEqual({
      type: 'pong',
      ref: 'r',
      more: 1,
    })
    for (const type of ['later', 'constructor', '__proto__', 'toString', '']) {
      expect(readFrame({ type, ref: 'r' })).toBeNull()
    }
  })

  test('an event that the fold could not read is refused', () => {
    const good = {
      serial: 1,
      tag: 't',
      prev: 'p',
      at: 0,
      type: 'x.a',
      id: 'i',
      by: { subject: 's' },
    }
    const frame = (one: object) => readFrame({ type: 'events', session: 's', events: [one] })
    expect(frame(good)).not.toBeNull()
    for (const key of Object.keys(good)) expect(frame({ ...good, [key]: undefined })).toBeNull()
    expect(frame({ ...good, by: null })).toBeNull()
  })

  test('a view that a screen could not read is refused', () => {
    const message = {
      id: 'm',
      role: 'user',
      parent: null,
      parts: [{ type: 'text' }],
      status: 'open',
      metadata: {},
      by: 'ada',
      startedAt: 0,
      updatedAt: 0,
      first: 1,
      serial: 1,
    }
    const rest = { tip: null, members: [], metadata: {}, createdAt: null, closedAt: null }
    const frame = (one: object, others: object = rest) =>
      readFrame({
        type: 'snapshot',
        session: 's',
        position: 'p',
        messages: [one],
        rest: others,
        last: true,
      })
    expect(frame(message)).not.toBeNull()
    for (const key of Object.keys(message)) {
      expect(frame({ ...message, [key]: undefined })).toBeNull()
    }
    expect(frame({ ...message, parts: [{ text: 'no type' }] })).toBeNull()
    for (const key of Object.keys(rest)) {
      expect(frame(message, { ...rest, [key]: undefined })).toBeNull()
    }
    expect(frame(message, { ...rest, members: [{ member: 'm' }] })).toBeNull()
    expect(frame({ ...message, run: 7 })).toBeNull()
  })

  test('a run, an input, a question and what else is folded are looked at as closely', () => {
    const begin = { tip: null, members: [], metadata: {}, createdAt: null, closedAt: null }
    const frame = (more: object) =>
      readFrame({
        type: 'snapshot',
        session: 's',
        position: 'p',
        messages: [],
        rest: { ...begin, ...more },
        last: true,
      })
    /** Whatever the fold makes of events is let through; without any one of the fields that are read, nothing is. */
    const view = new View(START)
    for (const event of logOf(EVERY_NOUN)) view.apply(event)
    const full = view.rest()
    expect(frame(full)).not.toBeNull()
    const lists = ['runs', 'inputs', 'questions', 'state', 'effects', 'deliveries'] as const
    const opaque = new Set(['checkpoint', 'output', 'data', 'answer', 'value'])
    for (const list of lists) {
      expect(frame({ [list]: 7 })).toBeNull()
      expect(frame({ [list]: [null] })).toBeNull()
      const [one] = full[list] as readonly object[]
      if (one === undefined) throw new Error(`nothing of ${list}`)
      for (const key of Object.keys(one)) {
        if (opaque.has(key) || (list === 'deliveries' && key === 'serial')) continue
        expect(frame({ [list]: [{ ...one, [key]: undefined }] }), `${list} ${key}`).toBeNull()
        expect(frame({ [list]: [{ ...one, [key]: [] }] }), `${list} ${key}`).toBeNull()
      }
    }
    expect(frame({ controller: {} })).toBeNull()
    expect(frame({ controller: null })).not.toBeNull()
  })

  test('whatever a log holds, the view that is folded of it passes [P-3.1] [P-4.5]', () => {
    fc.assert(
      fc.property(logs, (events) => {
        const view = new View(START)
        for (const event of events) view.apply(event)
        const snapshot = {
          type: 'snapshot',
          session: 's',
          position: 'p',
          messages: [...view.messages.values()],
          rest: view.rest(),
          last: true,
        }
        expect(parseFrame(JSON.stringify(snapshot))).not.toBeNull()
      }),
      { numRuns: 1000 },
    )
  })

  test('garbage is no frame, and throws nothing', () => {
    fc.assert(fc.property(fc.string(), (garbage) => parseFrame(garbage) === null))
    fc.assert(
      fc.property(fc.anything(), (garbage) => {
        expect(readFrame(garbage)).toBeNull()
      }),
    )
  })
})
