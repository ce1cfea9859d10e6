import { member } from '../protocol/fold/makes-sense.ts'
import type { DownType } from '../protocol/frames-down.ts'
import {
  isObject,
  list,
  nullable,
  number,
  optional,
  record,
  shape,
  string,
  type Check,
} from '../protocol/shape.ts'
import type { Received } from './received.ts'

/** The guard at the edge: what passes has the shape of its type. A test holds it against the schemas. [P-4] */

const by = shape('subject')
/** What is read of an event, beside its data, which was judged when it was appended. */
const event = shape('serial# tag prev at# type id', { by })
const message = shape(
  'id role parent? status metadata% by run~ startedAt# updatedAt# first# serial#',
  { parts: list(shape('type')) },
)
const run = shape(
  'id epoch# agent? trigger? status step? detail? metadata% by startedAt# updatedAt# serial#',
  { error: nullable(shape('message')) },
)
const input = shape('id mode run? message? expiresAt#? by at# serial#', {
  parent: optional(nullable(string)),
})
const question = shape('id run? prompt schema%? expiresAt#? status answeredBy? askedAt# serial#')
const listOf = (check: Check): Check => optional(list(check))
const rest = shape('tip? metadata% createdAt#? closedAt#?', {
  members: list(member),
  // These are missing where the server does not know them.
  runs: listOf(run),
  inputs: listOf(input),
  questions: listOf(question),
  state: listOf(shape('key version#')),
  effects: listOf(shape('id run tool? status at# serial#')),
  deliveries: listOf(shape('id run to status at#')),
  controller: optional(nullable(shape('subject kind'))),
})

const FRAMES: Readonly<Record<DownType, Check>> = {
  welcome: shape('ref~ connection subject expiresAt#? heartbeatMs#', {
    limits: shape('maxFrameBytes# maxEventBytes# maxSessions# framesPerSecond#'),
  }),
  attached: shape('ref session mode head member~'),
  reset: shape('session reason floor# head position'),
  snapshot: shape('session position since#~ last!', {
    messages: list(message),
    rest: optional(rest),
  }),
  events: shape('session', { events: list(event) }),
  detached: shape('ref session'),
  ack: shape('ref session epoch first# last# duplicates# durability', {
    serials: optional(list(nullable(number))),
  }),
  ok: shape('ref member~'),
  pong: shape('ref'),
  heartbeat: shape('at#', { heads: record(string) }),
  signal: shape('session name', { by }),
  expiring: shape('expiresAt#'),
  goaway: shape('reason afterMs#'),
  error: shape('ref? session~ code message retryable! retryAfterMs#~', {
    facts: optional(isObject),
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
