import { HeldlineError, type ErrorCode } from '../protocol/errors.ts'
import { UP_FRAMES, type Op, type UpFrame } from '../protocol/frames-up.ts'
import { checkShape, elementMembers, objectMembers, type Member } from '../protocol/json.ts'
import { isObject } from '../protocol/shape.ts'
import { isUsualPublish } from './usual-shapes.ts'

/** The members of a frame with the text of each as it came; and of each event that it publishes. */
export interface FrameTexts {
  readonly members: readonly Member[]
  readonly events: readonly (readonly Member[])[]
}

export type ParsedFrame =
  | { readonly ref: string | null; readonly frame: UpFrame; readonly texts: FrameTexts }
  /** The ref is given where it could be read, so that the answer reaches whoever waits for it. */
  | { readonly ref: string | null; readonly error: HeldlineError }

const REF = /^.{1,64}$/su

/** A client's frame from its text: size, shape, grammar, envelope, fields, in this order. [P-2.3] Never throws. */
export function parseUpFrame(text: string, maxBytes: number): ParsedFrame {
  if (text.length > maxBytes)
    return refuse('payload_too_large', `the frame is over ${maxBytes} bytes`)
  const shape = checkShape(text)
  if (shape !== null) return refuse(shape, 'the frame does not have an acceptable shape')
  const value = parseJson(text)
  if (value === undefined) return refuse('invalid_json', 'the frame is not JSON')
  if (!isObject(value)) return refuse('invalid_request', 'the frame is not an object')
  return parseEnvelope(text, value)
}

function parseEnvelope(text: string, value: Readonly<Record<string, unknown>>): ParsedFrame {
  const texts = textsOf(text)
  const { ref: refText, op } = value
  const ref = typeof refText === 'string' && REF.test(refText) ? refText : null
  const mistake = keyMistake(texts)
  if (mistake !== null) return refuse(mistake, KEY_MISTAKES[mistake], ref)
  if (typeof op !== 'string' || !Object.hasOwn(UP_FRAMES, op)) {
    return refuse('unknown_op', 'the op is not known', ref)
  }
  if (ref === null && (Object.hasOwn(value, 'ref') || op !== 'signal')) {
    return refuse('invalid_ref', 'the ref is missing or malformed')
  }
  if (isUsualPublish(value)) return { ref, frame: value, texts }
  // Checked just above: the table has this key.
  const parsed = UP_FRAMES[op as Op].safeParse(value)
  if (parsed.success) return { ref, frame: parsed.data, texts }
  const [issue] = parsed.error.issues
  const code = issue?.code === 'unrecognized_keys' ? 'unknown_field' : 'invalid_request'
  return refuse(
    code,
    `${(issue?.path ?? []).map(String).join('.') || 'frame'}: ${issue?.message ?? 'invalid'}`,
    ref,
  )
}

const KEY_MISTAKES = {
  forbidden_key: 'the frame holds __proto__',
  duplicate_key: 'a key of the frame stands twice',
} as const

/**
 * What JSON.parse lets pass: a key twice, of which it takes the last and a reader of the bytes the first; and `__proto__`. Looked for in the objects that
 * are the protocol's own: the frame, its presence, its events. What an application puts into `data` is opaque. [P-2.3]
 */
function keyMistake({ members, events }: FrameTexts): keyof typeof KEY_MISTAKES | null {
  const presence = rawOf(members, 'presence')
  return (
    mistakeIn(members) ??
    (presence.startsWith('{') ? mistakeIn(objectMembers(presence)) : null) ??
    firstOf(events, mistakeIn)
  )
}

/** The text of a member; empty where there is none. */
function rawOf(members: readonly Member[], name: string): string {
  for (const { key, raw } of members) if (key === name) return raw
  return ''
}

/** Up to so many keys, comparing each with each costs less than a set of them. */
const FEW = 8

function mistakeIn(members: readonly Member[]): keyof typeof KEY_MISTAKES | null {
  for (const { key } of members) if (key === '__proto__') return 'forbidden_key'
  return hasTwins(members) ? 'duplicate_key' : null
}

function hasTwins(members: readonly Member[]): boolean {
  if (members.length > FEW) return new Set(members.map(({ key }) => key)).size < members.length
  for (let i = 1; i < members.length; i++) {
    for (let j = 0; j < i; j++) if (members[i]?.key === members[j]?.key) return true
  }
  return false
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | null): R | null {
  for (const item of items) {
    const found = find(item)
    if (found !== null) return found
  }
  return null
}

/** Of text that is an object: read once, for all who need the bytes as they came. */
function textsOf(text: string): FrameTexts {
  const members = objectMembers(text)
  const raw = rawOf(members, 'events')
  const events = raw.startsWith('[') ? elementMembers(raw) : []
  return { members, events: events.map((event) => event ?? []) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // JSON has no undefined, so this is the one value that says "not JSON".
    return undefined
  }
}

function refuse(code: ErrorCode, why: string, ref: string | null = null): ParsedFrame {
  return { ref, error: new HeldlineError(code, `unable to take the frame; ${why}`) }
}
