/**
 * What JSON.parse does not do: bounds on depth and width before parsing, and the *original bytes*
 * of a member, so that a payload keeps its digits, key order and duplicate keys. [P-2]
 */
import type { ErrorCode } from './errors.ts'

export const MAX_JSON_DEPTH = 32
export const MAX_JSON_KEYS = 1000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

/**
 * Whether a text may be given to JSON.parse: depth, keys an object, and no lone surrogate, raw or escaped.
 * One pass, no recursion, no allocation that grows with the text. Grammar is JSON.parse's to judge.
 */
export function checkShape(text: string): ErrorCode | null {
  if (!text.isWellFormed()) return 'invalid_utf8'
  // By a pattern, since the engine moves `includes` to where its result is used: into the loop.
  const escapes = UNICODE_ESCAPE.test(text)
  let depth = 0
  keys[0] = 0
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const end = endOfString(text, i)
        if (escapes && hasLoneEscape(text, i, end)) return 'invalid_utf8'
        i = end - 1
        break
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        if (++depth > MAX_JSON_DEPTH) return 'too_deep'
        keys[depth] = 0
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        if (depth > 0) depth--
        break
      case COLON:
        if (countKey(depth) > MAX_JSON_KEYS) return 'too_many_keys'
        break
    }
  }
  return null
}

const UNICODE_ESCAPE = /\\u/

/** How many keys each open object has so far, by depth: one scratch for all calls, since a call never waits. */
const keys = new Uint32Array(MAX_JSON_DEPTH + 1)

function countKey(depth: number): number {
  const count = (keys[depth] ?? 0) + 1
  keys[depth] = count
  return count
}

/** Looked through unit by unit; what is longer is left to the engine's own search, whose call costs as much as these. */
const NEAR = 24

/** The index after the closing quote; the text's length when it never closes. */
function endOfString(text: string, open: number): number {
  const near = Math.min(open + NEAR, text.length)
  let i = open + 1
  for (; i < near; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) return i + 1
    if (unit === BACKSLASH) i++
  }
  return endOfLongString(text, i)
}

/** @param from within the string, not behind a backslash */
function endOfLongString(text: string, from: number): number {
  let quote = text.indexOf('"', from)
  while (quote >= 0) {
    let before = quote
    while (before > from && text.charCodeAt(before - 1) === BACKSLASH) before--
    // An even number of backslashes escape each other, an odd one the quote.
    if ((quote - before) % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
  return text.length
}

/** Whether an escape between two places is half of a surrogate pair. */
function hasLoneEscape(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (text.charCodeAt(i) !== BACKSLASH) continue
    i++
    if (text[i] !== 'u') continue
    const high = escapedUnit(text, i)
    if (high >= 0xdc00 && high <= 0xdfff) return true
    if (high < 0xd800 || high > 0xdbff) continue
    const low = text[i + 5] === '\\' && text[i + 6] === 'u' ? escapedUnit(text, i + 6) : -1
    if (low < 0xdc00 || low > 0xdfff) return true
    i += 10
  }
  return false
}

/** The code unit of `uXXXX` at `at`, or -1 (then JSON.parse refuses it). */
function escapedUnit(text: string, at: number): number {
  const hex = text.slice(at + 1, at + 5)
  return /^[0-9a-fA-F]{4}$/.test(hex) ? Number.parseInt(hex, 16) : -1
}

/** A member of an object: its key and the exact text of its value. */
export interface Member {
  readonly key: string
  readonly raw: string
}

/** The members of an object, in order, duplicates kept. The text must be valid JSON with an object on top. */
export function objectMembers(text: string): Member[] {
  const members: Member[] = []
  readMembers(text, skipSpace(text, 0), members)
  return members
}

/** Of each element of an array its members, `null` for one that is no object. The text must be valid JSON with an array on top. */
export function elementMembers(text: string): (Member[] | null)[] {
  const elements: (Member[] | null)[] = []
  let i = skipSpace(text, skipSpace(text, 0) + 1)
  while (text.charCodeAt(i) !== CLOSE_ARRAY) {
    const members: Member[] | null = text.charCodeAt(i) === OPEN_OBJECT ? [] : null
    const end = members === null ? endOfValue(text, i) : readMembers(text, i, members)
    elements.push(members)
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1)
  }
  return elements
}

/**
 * @param open the place of the object's opening brace
 * @returns the place after its closing one
 */
function readMembers(text: string, open: number, members: Member[]): number {
  let i = open + 1
  for (;;) {
    i = skipSpace(text, i)
    if (text.charCodeAt(i) !== QUOTE) return i + 1
    const keyEnd = endOfString(text, i)
    const keyText = text.slice(i + 1, keyEnd - 1)
    const key = keyText.includes('\\') ? String(JSON.parse(`"${keyText}"`)) : keyText
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1)
    const end = endOfValue(text, start)
    members.push({ key, raw: text.slice(start, end) })
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === COMMA) i++
  }
}

/** The exact texts of an array's elements. The text must be valid JSON with an array on top. */
export function arrayElements(text: string): string[] {
  const elements: string[] = []
  let i = skipSpace(text, skipSpace(text, 0) + 1)
  while (text.charCodeAt(i) !== CLOSE_ARRAY) {
    const end = endOfValue(text, i)
    elements.push(text.slice(i, end))
    i = skipSpace(text, end)
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1)
  }
  return elements
}

function skipSpace(text: string, at: number): number {
  let i = at
  for (;;) {
    const unit = text.charCodeAt(i)
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return i
    i++
  }
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === QUOTE) return endOfString(text, start)
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return endOfContainer(text, start)
  let i = start
  for (; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === COMMA || unit === CLOSE_OBJECT || unit === CLOSE_ARRAY || unit <= 0x20) break
  }
  return i
}

function endOfContainer(text: string, start: number): number {
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === QUOTE) i = endOfString(text, i) - 1
    else if (unit === OPEN_OBJECT || unit === OPEN_ARRAY) depth++
    else if ((unit === CLOSE_OBJECT || unit === CLOSE_ARRAY) && --depth === 0) return i + 1
  }
  return text.length
}
