import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type * as z from 'zod/mini'
import { isUsualDelta, isUsualEvent, isUsualPublish } from '../../src/core/usual-shapes.ts'
import { newEventSchema, publishFrame } from '../../src/protocol/frames-up.ts'
import { messageDelta } from '../../src/protocol/messages.ts'

const text = (max: number) =>
  fc.oneof(fc.string({ maxLength: 5 }), fc.string({ minLength: max - 1, maxLength: max + 1 }))
const id = fc.oneof(
  { arbitrary: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:~-]{0,9}$/), weight: 6 },
  fc.stringMatching(/^a{127,130}$/),
  fc.constantFrom('', ' a', 'a\n', '-a', 'é'),
)
const anything = fc.jsonValue()

/** An object whose fields are mostly right: each may be of another type, missing, and others may be there. */
const almost = (fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> =>
  fc
    .record({
      right: fc.oneof(fc.record(fields), fc.record(fields, { requiredKeys: [] })),
      wrong: rarely(fc.record(mapped(fields), { requiredKeys: [] })),
      more: rarely(fc.dictionary(odd, anything, { maxKeys: 1 })),
    })
    // Through text, as everything that comes in: what is undefined is not there, and `__proto__` may be a key.
    .map(({ right, wrong, more }) => JSON.parse(JSON.stringify({ ...right, ...wrong, ...more })))
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant({}), weight: 4 }, arbitrary)
const odd = fc.constantFrom('__proto__', 'constructor', 'add', 'type', 'parent', 'toString')
const mapped = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.keys(fields).map((key) => [key, anything]))

const event = almost({ type: text(64), id, data: anything })
const delta = almost({ message: id, text: fc.string(), part: id })
const publish = almost({
  op: fc.constantFrom('publish', 'publish', 'publish', 'read'),
  ref: fc.oneof(fc.constant('r'), text(64)),
  session: fc.string(),
  events: fc.oneof(
    fc.array(event, { maxLength: 3 }),
    fc.constantFrom(1000, 1001).map((length) => Array.from({ length }, () => ({ type: 'x.a' }))),
  ),
})

describe('what is taken without its schema [P-2.3]', () => {
  test.each<[string, (value: unknown) => boolean, z.ZodMiniType, fc.Arbitrary<unknown>]>([
    ['an event of a publish', isUsualEvent, newEventSchema, event],
    ['text that goes on', isUsualDelta, messageDelta, delta],
    ['a frame that publishes', isUsualPublish, publishFrame, publish],
  ])('%s: its schema takes it, and leaves it as it is', (_, isUsual, schema, values) => {
    const seen = { taken: 0, passed: 0 }
    fc.assert(
      fc.property(fc.oneof({ arbitrary: values, weight: 9 }, anything), (value) => {
        if (!isUsual(value)) {
          seen.passed++
          return
        }
        seen.taken++
        expect(schema.parse(value)).toEqual(value)
      }),
      { numRuns: 3000 },
    )
    expect(Math.min(seen.taken, seen.passed)).toBeGreaterThan(100)
  })

  test.each([
    [isUsualEvent, { type: 'x.a', data: 1 }],
    [isUsualEvent, { type: 'message.delta', id: 'a', data: null }],
    [isUsualDelta, { message: 'm', text: '' }],
    [isUsualDelta, { message: 'm', part: 'p', text: 'a' }],
    [isUsualPublish, { op: 'publish', ref: 'r', session: '', events: [{ type: 'x.a' }] }],
  ])('is what is usual (%#)', (isUsual, value) => {
    expect(isUsual(value)).toBe(true)
  })
})
