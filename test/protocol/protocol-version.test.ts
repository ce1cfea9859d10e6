import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import * as z from 'zod/mini'
import { EVENT_DATA } from '../../src/protocol/event.ts'
import { DOWN_FRAMES } from '../../src/protocol/frames-down.ts'
import { UP_FRAMES } from '../../src/protocol/frames-up.ts'
import { PROTOCOL } from '../../src/protocol/version.ts'

/**
 * What travels, by version. When this test fails, the wire has changed: a change that old clients and servers do not notice (a new optional field
 * of a frame that the server sends) takes the new digest; any other is a new version of the protocol. Either is said in PROTOCOL.md first.
 */
const DIGESTS: Readonly<Record<string, string>> = {
  'heldline.v1': 'df1c6719bccffb02958423cdf6acf9c36f8052d812b00baf859fe959b9232e36',
}

const schemas = Object.entries({ up: UP_FRAMES, down: DOWN_FRAMES, event: EVENT_DATA }).flatMap(
  ([kind, table]) =>
    Object.entries<z.ZodMiniType>(table).map(
      ([name, schema]) => [`${kind} ${name}`, z.toJSONSchema(schema)] as const,
    ),
)

/** With sorted keys, so that moving lines about changes nothing. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  const sorted = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([key, inner]) => [key, canonical(inner)])
}

test('what travels is that of the version', () => {
  const text = JSON.stringify(canonical(Object.fromEntries(schemas)))
  expect(createHash('sha256').update(text).digest('hex')).toBe(DIGESTS[PROTOCOL])
})

test('every schema says something', () => {
  for (const [name, schema] of schemas)
    expect([name, Object.keys(schema).length > 1]).toEqual([name, true])
})
