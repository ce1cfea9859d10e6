import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type * as z from 'zod/mini'
import { HeldlineError } from '../protocol/errors.ts'
import { checkShape, objectMembers, type Member } from '../protocol/json.ts'
import type { BodyDeadlines } from './body-deadlines.ts'
import { describeIssue } from './issue.ts'

/** A JSON body: what it says, and the very text that says it. */
export interface RawJson {
  readonly text: string
  readonly value: unknown
}

/** A body that is a little over the limit is read to its end, so that its sender is there to hear the refusal. */
const READ_ON_BYTES = 1024 * 1024

/** The body where all of it came along with its headers, as a small one does; `null`: some of it is still to come, or it is refused. */
export function takeBody(body: IncomingMessage, maxBytes: number): Buffer | null {
  const { readableLength } = body
  if (readableLength !== Number(body.headers['content-length']) || readableLength > maxBytes) {
    return null
  }
  // Nobody sets an encoding, so it is bytes; `null` of an empty body.
  return body.read() as Buffer | null
}

/** Reads a body of bounded size in bounded time. Calls `done` once. */
export function readBody(
  body: IncomingMessage,
  maxBytes: number,
  deadlines: BodyDeadlines,
  done: (error: Error | null, bytes?: Buffer) => void,
): void {
  const announced = Number(body.headers['content-length'] ?? 0)
  if (announced > maxBytes + READ_ON_BYTES) return done(tooLarge(maxBytes))
  let chunks: Buffer[] = []
  let bytes = 0
  let open = true
  const finish = (error: Error | null): void => {
    if (!open) return
    open = false
    deadlines.forget(late)
    if (error !== null) return done(error)
    done(null, chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes))
  }
  const late = (): void =>
    finish(
      new HeldlineError('request_timeout', 'unable to take the body; it did not arrive in time'),
    )
  // The listeners stay: what still comes of a body that was refused is read and thrown away.
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= maxBytes) chunks.push(chunk)
    else chunks = []
    if (bytes > maxBytes + READ_ON_BYTES) finish(tooLarge(maxBytes))
  })
  body.on('end', () => finish(bytes > maxBytes ? tooLarge(maxBytes) : null))
  body.on('error', () =>
    finish(new HeldlineError('request_timeout', 'unable to take the body; it broke off')),
  )
  deadlines.watch(late)
}

export function tooLarge(maxBytes: number): HeldlineError {
  return new HeldlineError(
    'payload_too_large',
    `unable to take the body; it is over ${maxBytes} bytes`,
    {
      facts: { maxBytes },
    },
  )
}

/**
 * JSON from bytes of a size that was checked: UTF-8, shape, grammar, in this order. [P-2.3]
 * @throws HeldlineError `empty_body`, `invalid_utf8`, `too_deep`, `too_many_keys`, `invalid_json`
 */
export function parseJson(bytes: Buffer): RawJson {
  if (bytes.length === 0)
    throw new HeldlineError('empty_body', 'unable to read the body; it is empty')
  if (!isUtf8(bytes))
    throw new HeldlineError('invalid_utf8', 'unable to read the body; it is not UTF-8')
  const text = bytes.toString()
  const shape = checkShape(text)
  if (shape !== null)
    throw new HeldlineError(shape, 'unable to read the JSON; its shape is not acceptable')
  try {
    return { text, value: JSON.parse(text) }
  } catch {
    // Its message quotes the text.
    throw new HeldlineError('invalid_json', 'unable to read the body; it is not JSON')
  }
}

const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Refuses what JSON.parse lets pass in an envelope: a key that stands twice, or that means something to the language. [P-2.3]
 * The text must be valid JSON.
 * @returns the envelope's members
 */
export function checkKeys(text: string): readonly Member[] {
  const members = objectMembers(text)
  checkMembers(members)
  return members
}

/** The same of members that are read already. */
export function checkMembers(members: readonly Member[]): void {
  // Most envelopes have two or three keys: a set costs more than looking back.
  const seen = members.length > FEW ? new Set<string>() : null
  for (const [index, { key }] of members.entries()) {
    if (FORBIDDEN.has(key))
      throw new HeldlineError('forbidden_key', `unable to take the envelope; it holds ${key}`)
    if (seen === null ? standsBefore(members, index) : seen.has(key))
      throw new HeldlineError('duplicate_key', 'unable to take the envelope; a key stands twice')
    seen?.add(key)
  }
}

const FEW = 8

function standsBefore(members: readonly Member[], index: number): boolean {
  for (let i = 0; i < index; i++) if (members[i]?.key === members[index]?.key) return true
  return false
}

/** Objects within a body that the server itself reads: their keys are checked too, but for the words of an application. */
function checkInner(text: string): void {
  for (const { key, raw } of objectMembers(text)) {
    if (key === 'data' || !raw.startsWith('{')) continue
    const seen = new Set<string>()
    for (const inner of objectMembers(raw)) {
      if (inner.key === '__proto__')
        throw new HeldlineError('forbidden_key', `unable to take ${key}; it holds __proto__`)
      if (seen.has(inner.key))
        throw new HeldlineError('duplicate_key', `unable to take ${key}; a key stands twice`)
      seen.add(inner.key)
    }
  }
}

/** A value by its schema, strictly. @throws HeldlineError `unknown_field`, `invalid_request` */
export function parseBy<Schema extends z.ZodMiniType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw describeIssue(parsed.error.issues[0])
}

/** A body that is one object. @throws HeldlineError as the steps above */
export function parseObject<Schema extends z.ZodMiniType>(
  schema: Schema,
  body: RawJson,
): z.infer<Schema> {
  const { text, value } = body
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    checkKeys(text)
    checkInner(text)
  }
  return parseBy(schema, value)
}
