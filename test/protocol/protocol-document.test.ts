import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { renderErrors } from '../../scripts/render-errors.ts'
import { CAPABILITIES, MEMBER_KINDS } from '../../src/protocol/capabilities.ts'
import { CLOSE, closeReaction } from '../../src/protocol/close-codes.ts'
import { ERRORS, errorRow, type ErrorCode } from '../../src/protocol/errors.ts'
import { EVENT_DATA } from '../../src/protocol/event.ts'
import { DOWN_FRAMES, RESET_REASONS } from '../../src/protocol/frames-down.ts'
import { UP_FRAMES } from '../../src/protocol/frames-up.ts'
import { COMPLETIONS, ROLES } from '../../src/protocol/messages.ts'
import { AUTH_PROTOCOL_PREFIX, PROTOCOL } from '../../src/protocol/version.ts'

const document = readFileSync('PROTOCOL.md', 'utf8')
const codes = Object.keys(ERRORS) as ErrorCode[]

/** Of a fenced or inline code, its words. */
const words = new Set(
  [...document.matchAll(/`([^`]+)`/g)].flatMap(([, code = '']) => code.match(/[\w.-]+/g) ?? []),
)
const closeTable = new Map(
  [...document.matchAll(/^\| (\d{4}) \| [^|]+ \| ([^|]+) \|$/gm)].map(([, code, reaction = '']) => [
    Number(code),
    reaction,
  ]),
)

const named: [string, readonly string[]][] = [
  ['op', Object.keys(UP_FRAMES)],
  ['frame type', Object.keys(DOWN_FRAMES)],
  ['event type', Object.keys(EVENT_DATA)],
  ['capability', CAPABILITIES],
  ['member kind', MEMBER_KINDS],
  ['role', ROLES],
  ['completion', COMPLETIONS],
  ['reset reason', RESET_REASONS],
]

describe.each(named)('PROTOCOL.md names every %s', (_, names) => {
  test.each(names)('%s', (name) => {
    expect(words).toContain(name)
  })
})

test('PROTOCOL.md names the fields of every op', () => {
  for (const [op, schema] of Object.entries(UP_FRAMES)) {
    for (const field of Object.keys(schema.shape)) expect(words, `${op}.${field}`).toContain(field)
  }
})

describe('close codes', () => {
  const used = new Set([
    ...Object.values<number>(CLOSE),
    ...codes.flatMap((code) => errorRow(code).close ?? []),
  ])

  test.each([...used])('%i stands in PROTOCOL.md', (code) => {
    expect(document).toMatch(new RegExp(`\\b${code}\\b`))
  })

  test('of the table in PROTOCOL.md are what a client does', () => {
    expect(closeTable.size).toBeGreaterThan(10)
    for (const [code, reaction] of closeTable) {
      const does = { stop: /^stop/, reconnect: /^reconnect/, 'refresh-token': /^refresh/ }[
        closeReaction(code)
      ]
      expect(reaction, String(code)).toMatch(does)
    }
  })

  test('of an error that may be tried again are those that reconnect', () => {
    for (const code of codes) {
      const { close, retryable } = errorRow(code)
      if (close !== undefined && retryable)
        expect([code, closeReaction(close)]).toEqual([code, 'reconnect'])
    }
  })
})

test('PROTOCOL.md names the versions, and no error that does not exist', () => {
  expect(words).toContain(PROTOCOL)
  expect(document).toContain(`\`${AUTH_PROTOCOL_PREFIX}<`)
  const facts = new Set(['outcome_unknown', 'durability_timeout', 'too_late', 'in_progress'])
  const mentioned = [...words].filter((word) => /^[a-z]+_[a-z_]+$/.test(word))
  expect(mentioned.length).toBeGreaterThan(8)
  expect(mentioned.filter((word) => !facts.has(word) && !Object.hasOwn(ERRORS, word))).toEqual([])
})

test('PROTOCOL.md numbers each clause once, in order', () => {
  const numbers = [...document.matchAll(/^- \*\*\[P-(\d+)\.(\d+)\]\*\*/gm)].map(
    ([, part, clause]) => [Number(part), Number(clause)],
  )
  expect(numbers.length).toBeGreaterThan(50)
  for (const [i, [part = 0, clause = 0]] of numbers.entries()) {
    const [before = 0, earlier = 0] = numbers[i - 1] ?? []
    expect([part, clause]).toEqual(
      part === before ? [part, earlier + 1] : [before + 1 > part ? before + 1 : part, 1],
    )
  }
})

test('docs/errors.md is what the table renders', () => {
  expect(readFileSync('docs/errors.md', 'utf8')).toBe(renderErrors())
})

describe('the table of errors', () => {
  test.each(codes)('%s has a status, a title and a next step', (code) => {
    const { status, title, next, retryable } = errorRow(code)
    expect(code).toMatch(/^[a-z]+(_[a-z0-9]+)*$/)
    expect(status >= 400 && status < 600).toBe(true)
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    expect(next).toMatch(/^[A-Z].*\.$/)
    // What a caller sent wrongly stays wrong.
    if ([400, 403, 404, 405, 409, 413, 415, 422].includes(status)) expect(retryable).toBe(false)
  })
})
