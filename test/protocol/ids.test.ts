import { describe, expect, test } from 'vitest'
import { CAPABILITIES, matchesPattern, SESSION_PATTERN } from '../../src/protocol/capabilities.ts'
import {
  APPLICATION_TYPE,
  isMessageType,
  MESSAGE_TYPES,
  RESERVED_NOUNS,
} from '../../src/protocol/event.ts'
import * as ids from '../../src/protocol/ids.ts'

const { parseSessionId, parseEventId, parseMessageId, parseMemberId, parseProducerId } = ids
const parsers = { parseSessionId, parseEventId, parseMessageId, parseMemberId, parseProducerId }

/** Never text: a parser of text must not look inside. */
const notText = [
  undefined,
  null,
  0,
  1,
  true,
  {},
  [],
  ['a'],
  new String('a'),
  { toString: () => 'a' },
]

describe.each(Object.entries(parsers))('%s [P-1.1]', (_, parse) => {
  test.each([
    'a',
    '0',
    'A-z_9.:~-',
    'chat:42',
    'a~',
    'a..b',
    'a'.repeat(128),
    'constructor',
    '0000',
  ])('takes %s', (text) => {
    expect(parse(text)).toBe(text)
  })

  test.each([
    '',
    '_a',
    '-a',
    '.a',
    ':a',
    '~a',
    '~tickets-0',
    'a'.repeat(129),
    'a b',
    'a\n',
    '\na',
    'a/b',
    'a%2Fb',
    '../a',
    'a{b}',
    'a*',
    'é',
    'ａ',
    'a\u0000',
    'a\u200b',
    '__proto__',
    '😀',
  ])('refuses %j', (text) => {
    expect(parse(text)).toBeNull()
  })

  test('refuses what is not text', () => {
    for (const value of notText) expect(parse(value)).toBeNull()
  })
})

test.each<[(text: unknown) => unknown, readonly string[], readonly string[]]>([
  [
    ids.parseEpoch,
    ['abcDEF-_09'],
    ['', 'a'.repeat(9), 'a'.repeat(11), 'abcde.fghi', 'abcdefghi\n'],
  ],
  [
    ids.parseTag,
    ['--------', 'abcDE_09'],
    ['', 'a'.repeat(7), 'a'.repeat(9), 'abc.efgh', 'abcdefg\n'],
  ],
])('%o holds the form of an epoch or tag [P-1.4]', (parse, good, bad) => {
  for (const text of good) expect(parse(text)).toBe(text)
  for (const text of [...bad, ...notText]) expect(parse(text)).toBeNull()
})

describe('a session pattern [P-6.2]', () => {
  test.each([
    ['chat-1', ['chat-1'], ['chat-10', 'chat-', 'Chat-1', 'xchat-1']],
    ['chat-*', ['chat-', 'chat-1', 'chat-1:a'], ['chat', 'xchat-1', 'chatX1']],
    ['user:42:*', ['user:42:a'], ['user:420:a', 'user:42']],
    ['a.c', ['a.c'], ['abc']],
    ['*', ['a', 'anything'], []],
  ])('%s matches an id, or what begins like its prefix', (pattern, matched, others) => {
    expect(SESSION_PATTERN.test(pattern)).toBe(true)
    for (const id of matched) expect(matchesPattern(pattern, id)).toBe(true)
    for (const id of others) expect(matchesPattern(pattern, id)).toBe(false)
  })

  test.each([
    '',
    '**',
    'a**',
    'a*b',
    '*a',
    '-*',
    '~*',
    'a b*',
    'a\n',
    '.*',
    '[a-z]*',
    `${'a'.repeat(128)}*`,
  ])('is not %j', (pattern) => {
    expect(SESSION_PATTERN.test(pattern)).toBe(false)
  })

  test('of the longest id can still end in a star', () => {
    expect(SESSION_PATTERN.test(`${'a'.repeat(127)}*`)).toBe(true)
    expect(SESSION_PATTERN.test('a'.repeat(128))).toBe(true)
  })
})

test('capabilities have names of their own', () => {
  expect(new Set(CAPABILITIES).size).toBe(CAPABILITIES.length)
})

describe('an event type [P-2.2]', () => {
  test.each(['x.a', 'x.my-tool.result_2', 'x.0', `x.${'a'.repeat(62)}`])(
    '%s is the application’s',
    (type) => {
      expect(APPLICATION_TYPE.test(type)).toBe(true)
      expect(RESERVED_NOUNS.test(type)).toBe(false)
      expect(isMessageType(type)).toBe(false)
    },
  )

  test.each([
    'x',
    'x.',
    'x.A',
    'x..a',
    'x._a',
    'xa',
    'x.a b',
    'x.a\n',
    `x.${'a'.repeat(63)}`,
    'X.a',
  ])('%j is nobody’s', (type) => {
    expect(APPLICATION_TYPE.test(type)).toBe(false)
  })

  test('of a message is the caller’s, and of any other noun the server’s', () => {
    for (const type of MESSAGE_TYPES)
      expect([isMessageType(type), RESERVED_NOUNS.test(type)]).toEqual([true, false])
    for (const noun of [
      'session',
      'member',
      'run',
      'input',
      'question',
      'state',
      'effect',
      'control',
      'delivery',
    ]) {
      expect(RESERVED_NOUNS.test(`${noun}.anything`)).toBe(true)
      expect(isMessageType(`${noun}.started`)).toBe(false)
    }
    expect(isMessageType('message.shouted')).toBe(false)
    expect(isMessageType('toString')).toBe(false)
  })
})
