import type { DownType } from '../protocol/frames-down.ts'
import type { Received } from './received.ts'

/**
 * The guard at the edge: what passes has the shape of its type. Written by hand, since a schema library would be most of
 * the bundle; a test holds it against the schemas. Fields that are not known are left alone, and so is the set of values
 * of an enumeration: a newer server may say more. [P-4]
 */
type Check = (value: unknown) => boolean

const string: Check = (value) => typeof value === 'string'
const number: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const boolean: Check = (value) => typeof value === 'boolean'
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const any: Check = () => true

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const nullable =
  (check: Check): Check =>
  (value) =>
    value === null || check(value)
const list =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const record =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check)
const object = (fields: Readonly<Record<string, Check>>): Check => {
  const entries = Object.entries(fields)
  return (value) => isObject(value) && entries.every(([key, check]) => check(value[key]))
}

/** What is read of an event, beside its data, which was judged when it was appended. */
const event = object({
  serial: number,
  tag: string,
  prev: string,
  at: number,
  type: string,
  id: string,
  by: object({ subject: string }),
})
const message = object({
  id: string,
  role: string,
  parent: nullable(string),
  parts: list(object({ type: string })),
  status: string,
  metadata: isObject,
  by: string,
  startedAt: number,
  updatedAt: number,
  first: number,
  serial: number,
})
const member = object({
  member: string,
  subject: string,
  kind: string,
  connected: boolean,
  visible: boolean,
})
const rest = object({
  tip: nullable(string),
  members: list(member),
  metadata: isObject,
  createdAt: nullable(number),
  closedAt: nullable(number),
})

const FRAMES: Readonly<Record<DownType, Check>> = {
  welcome: object({
    ref: optional(string),
    connection: string,
    subject: string,
    expiresAt: nullable(number),
    heartbeatMs: number,
    limits: object({
      maxFrameBytes: number,
      maxEventBytes: number,
      maxSessions: number,
      framesPerSecond: number,
    }),
  }),
  attached: object({
    ref: string,
    session: string,
    mode: string,
    head: string,
    member: optional(string),
  }),
  reset: object({ session: string, reason: string, floor: number, head: string, position: string }),
  snapshot: object({
    session: string,
    position: string,
    since: optional(number),
    messages: list(message),
    rest: optional(rest),
    last: boolean,
  }),
  events: object({ session: string, events: list(event) }),
  detached: object({ ref: string, session: string }),
  ack: object({
    ref: string,
    session: string,
    epoch: string,
    first: number,
    last: number,
    serials: optional(list(nullable(number))),
    duplicates: number,
    durability: string,
  }),
  ok: object({ ref: string, member: optional(string) }),
  pong: object({ ref: string }),
  heartbeat: object({ at: number, heads: record(string) }),
  signal: object({ session: string, name: string, by: object({ subject: string }), data: any }),
  expiring: object({ expiresAt: number }),
  goaway: object({ reason: string, afterMs: number }),
  error: object({
    ref: nullable(string),
    session: optional(string),
    code: string,
    message: string,
    retryable: boolean,
    retryAfterMs: optional(number),
    facts: optional(record(any)),
  }),
}

/**
 * The frame that a value is, or `null`: a type of a newer version, or not a frame at all. To ignore it is safe, since
 * an event that is missed breaks the line, and a broken line is attached again.
 */
export function readFrame(value: unknown): Received | null {
  if (!isObject(value) || typeof value['type'] !== 'string') return null
  if (!Object.hasOwn(FRAMES, value['type'])) return null
  // The checks above are this type's parser.
  return FRAMES[value['type'] as DownType](value) ? (value as Received) : null
}

/** The same, from text. */
export function parseFrame(text: string): Received | null {
  try {
    return readFrame(JSON.parse(text))
  } catch {
    return null
  }
}
