import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeHead, encodeBody, encodeEvent, isMessageEnd } from '../../src/protocol/codec.ts'
import { objectMembers } from '../../src/protocol/json.ts'
import { GENESIS_TAG, type Tag } from '../../src/protocol/ids.ts'
import { valueText } from './spelled-json.ts'

// The pattern is that of a Tag, so the cast is its parser.
const tag = fc.stringMatching(/^[A-Za-z0-9_-]{8}$/).map((text) => text as Tag)
const head = fc.record({
  serial: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  tag,
  prev: tag,
  at: fc.integer({ min: 0, max: 9_999_999_999_999 }),
})
const by = fc.record(
  { subject: fc.string({ unit: 'grapheme' }), run: fc.string(), member: fc.string() },
  { requiredKeys: ['subject'] },
)

test.each([
  ['message.completed', true],
  ['message.delta', false],
  ['x.message.completed', false],
])('a body of %s is that of a message’s end: %s', (type, ends) => {
  const data = '{"type":"message.completed","message":"m"}'
  expect(isMessageEnd(encodeBody(type, 'e', { subject: 'ada' }, data))).toBe(ends)
})

describe('an event’s text [P-2.1]', () => {
  test('is its head, and the caller’s data byte for byte', () => {
    fc.assert(
      fc.property(head, fc.string(), fc.string(), by, valueText, (head, type, id, by, rawData) => {
        const text = encodeEvent(head, encodeBody(type, id, by, rawData))
        expect(JSON.parse(text)).toEqual({
          ...head,
          type,
          id,
          by,
          data: JSON.parse(rawData) as unknown,
        })
        const members = objectMembers(text)
        expect(members.map(({ key }) => key)).toEqual([
          'serial',
          'tag',
          'prev',
          'at',
          'type',
          'id',
          'by',
          'data',
        ])
        expect(members.at(-1)?.raw).toBe(rawData)
      }),
      { numRuns: 300 },
    )
  })

  test('gives its head back without being parsed', () => {
    fc.assert(
      fc.property(head, valueText, (head, rawData) => {
        expect(
          decodeHead(encodeEvent(head, encodeBody('x.a', 'e', { subject: 's' }, rawData))),
        ).toEqual(head)
      }),
    )
  })

  const good = encodeEvent(
    { serial: 7, tag: GENESIS_TAG, prev: GENESIS_TAG, at: 5 },
    '"type":"x.a"}',
  )

  test.each<[string, string]>([
    ['nothing', ''],
    ['a space before it', ` ${good}`],
    ['another order', good.replace(/"serial":7,("tag":"-{8}"),/, '$1,"serial":7,')],
    ['a serial that is text', good.replace('7', '"7"')],
    ['a serial with a sign', good.replace('7', '-7')],
    ['a serial with an exponent', good.replace('7', '7e1')],
    ['a serial that is too long', good.replace('7', '1'.repeat(17))],
    ['a short tag', good.replace('"tag":"-', '"tag":"')],
    ['a tag with a quote', good.replace('"tag":"-', '"tag":"\\"')],
    ['no time', good.replace(/"at":5,/, '')],
    ['the head alone', good.slice(0, good.indexOf('"at"'))],
  ])('is none with %s', (_, text) => {
    expect(decodeHead(good)).not.toBeNull()
    expect(decodeHead(text)).toBeNull()
  })
})
