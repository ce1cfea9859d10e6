import * as z from 'zod/mini'
import { LIVE_STATUSES, OVER_STATUSES } from './run-events.ts'

/** Frames from the server to a client: `{type, …}`. The same frames travel over a socket and, one SSE message each, over SSE. [P-4] */

const serial = z.number()
const position = z.string()
const session = z.string()
const ref = z.string()

/** The first frame once the credentials are good. */
export const welcomeFrame = z.strictObject({
  type: z.literal('welcome'),
  ref: z.optional(ref),
  /** This connection's name, for logs of both sides. */
  connection: z.string(),
  subject: z.string(),
  /** Milliseconds since 1970, or null where the credentials do not expire. */
  expiresAt: z.nullable(z.number()),
  heartbeatMs: z.number(),
  limits: z.strictObject({
    maxFrameBytes: z.number(),
    maxEventBytes: z.number(),
    maxSessions: z.number(),
    framesPerSecond: z.number(),
  }),
})

export const RESET_REASONS = ['trimmed', 'ahead', 'epoch', 'fork', 'corrupt'] as const
export type ResetReason = (typeof RESET_REASONS)[number]

/**
 * The answer to an attach. `resumed`: what followed the position comes next. `snapshot`: a snapshot comes next, then what
 * follows it. A `reset` frame comes first where the position could not be given.
 */
export const attachedFrame = z.strictObject({
  type: z.literal('attached'),
  ref,
  session,
  mode: z.enum(['resumed', 'snapshot']),
  /** The head of the log when the attach was answered. */
  head: position,
  /** The member that this socket is seen as, when presence was asked for. */
  member: z.optional(z.string()),
})

/** What can't be given is said. A snapshot follows, and events from its position on. [P-4.4] */
export const resetFrame = z.strictObject({
  type: z.literal('reset'),
  session,
  reason: z.enum(RESET_REASONS),
  floor: serial,
  head: position,
  /** The position that was refused. */
  position,
})

const foldedMessage = z.looseObject({ id: z.string(), serial })

/**
 * A piece of the view at `position`. Pieces of one snapshot come in order, the last with `last: true`; only then is the
 * position reached. `since`, when present: only what changed after that serial; merge it by message id. [P-4.5]
 */
export const snapshotFrame = z.strictObject({
  type: z.literal('snapshot'),
  session,
  position,
  since: z.optional(serial),
  messages: z.array(foldedMessage),
  /** On the last piece: everything of the view but its messages. */
  rest: z.optional(z.looseObject({ tip: z.nullable(z.string()), members: z.array(z.unknown()) })),
  last: z.boolean(),
})

const wireEvent = z.looseObject({ serial, tag: z.string(), prev: z.string() })

/** Events with neighbouring serials, in order. Take one iff it follows your position and its `prev` is your tag. [P-4.3] */
export const eventsFrame = z.strictObject({
  type: z.literal('events'),
  session,
  events: z.array(wireEvent),
})

export const detachedFrame = z.strictObject({ type: z.literal('detached'), ref, session })

/** The answer to a publish: it is in the log, to the durability that is named. */
export const ackFrame = z.strictObject({
  type: z.literal('ack'),
  ref,
  session,
  epoch: z.string(),
  first: serial,
  last: serial,
  /** One serial an event, in order, where they are not `first..last`; null where it is too old to be known. */
  serials: z.optional(z.array(z.nullable(serial))),
  /** How many of the events were there already. */
  duplicates: z.number(),
  durability: z.enum(['memory', 'async', 'fsync', 'replicated']),
})

export const okFrame = z.strictObject({
  type: z.literal('ok'),
  ref,
  /** After a word of presence. */
  member: z.optional(z.string()),
  /** After a beat: what the run is, as a heartbeat over HTTP answers it. */
  run: z.optional(
    z.strictObject({
      run: z.string(),
      live: z.boolean(),
      status: z.enum([...LIVE_STATUSES, ...OVER_STATUSES]),
      inputs: z.number(),
      leaseMs: z.number(),
    }),
  ),
})
export const pongFrame = z.strictObject({ type: z.literal('pong'), ref })

/** Every 15 s and at once on open: the head of each attached session, so that an idle reader sees a gap. */
export const heartbeatFrame = z.strictObject({
  type: z.literal('heartbeat'),
  at: z.number(),
  heads: z.record(z.string(), position),
})

export const signalDownFrame = z.strictObject({
  type: z.literal('signal'),
  session,
  name: z.string(),
  by: z.looseObject({ subject: z.string() }),
  data: z.optional(z.unknown()),
})

/** The token ends soon: send `auth` with a new one of the same subject. */
export const expiringFrame = z.strictObject({ type: z.literal('expiring'), expiresAt: z.number() })

/** This node will close the socket: connect again after `afterMs`. */
export const goawayFrame = z.strictObject({
  type: z.literal('goaway'),
  reason: z.string(),
  afterMs: z.number(),
})

export const errorFrame = z.strictObject({
  type: z.literal('error'),
  ref: z.nullable(ref),
  session: z.optional(session),
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.optional(z.number()),
  facts: z.optional(z.record(z.string(), z.unknown())),
})

export const DOWN_FRAMES = {
  welcome: welcomeFrame,
  attached: attachedFrame,
  reset: resetFrame,
  snapshot: snapshotFrame,
  events: eventsFrame,
  detached: detachedFrame,
  ack: ackFrame,
  ok: okFrame,
  pong: pongFrame,
  heartbeat: heartbeatFrame,
  signal: signalDownFrame,
  expiring: expiringFrame,
  goaway: goawayFrame,
  error: errorFrame,
} as const

export type DownType = keyof typeof DOWN_FRAMES
type Frames = { [K in DownType]: z.infer<(typeof DOWN_FRAMES)[K]> }
export type DownFrame = Frames[DownType]
export type DownFrameOf<K extends DownType> = Frames[K]
