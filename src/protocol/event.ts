import * as z from 'zod/mini'
import {
  idSchema,
  messageCompleted,
  messageDeleted,
  messageDelta,
  messageReplaced,
  messageStarted,
} from './messages.ts'
import { MEMBER_KINDS } from './capabilities.ts'
import {
  inputDelivered,
  inputExpired,
  inputReceived,
  questionAnswered,
  questionAsked,
} from './input-events.ts'
import {
  controlReleased,
  controlTaken,
  deliveryAcked,
  deliveryFailed,
  deliveryPending,
  effectDone,
  effectReserved,
  effectRetried,
  effectUnknown,
  stateDeleted,
  stateSet,
} from './record-events.ts'
import {
  runCancelled,
  runFailed,
  runFinished,
  runLost,
  runResumed,
  runStarted,
  runStatus,
  runSuspended,
} from './run-events.ts'

/** Who appended an event. */
export interface By {
  /** The API key's id as `key:<id>`, or the token's `sub`. */
  readonly subject: string
  readonly run?: string
  readonly member?: string
}

/** One record of the log, as it travels: immutable. `data` is kept as the bytes that came. [P-2.1] */
export interface WireEvent {
  readonly serial: number
  readonly tag: string
  readonly prev: string
  /** Milliseconds since 1970 by the store's clock; never falls within a log. */
  readonly at: number
  readonly type: string
  readonly id: string
  readonly by: By
  readonly data: unknown
}

const text = (max: number) => z.string().check(z.maxLength(max))
const jsonObject = z.record(z.string(), z.unknown())

export const sessionCreated = z.strictObject({ metadata: z.optional(jsonObject) })
export const sessionUpdated = z.strictObject({ metadata: jsonObject })
export const sessionClosed = z.strictObject({ reason: z.optional(text(500)) })

/** A member as others see it. `connected: false` within the recovery window after a lost socket. [P-5.4] */
export const memberSchema = z.strictObject({
  member: idSchema,
  subject: text(256),
  kind: z.enum(MEMBER_KINDS),
  connected: z.boolean(),
  visible: z.boolean(),
  status: z.optional(text(64)),
  data: z.optional(jsonObject),
})
export type Member = z.infer<typeof memberSchema>

export const memberLeft = z.strictObject({
  member: idSchema,
  reason: z.enum(['detached', 'expired']),
})

/** The data of every event type that this version writes itself or takes from a caller, but for `x.*`, which is opaque. */
export const EVENT_DATA = {
  'session.created': sessionCreated,
  'session.updated': sessionUpdated,
  'session.closed': sessionClosed,
  'message.started': messageStarted,
  'message.delta': messageDelta,
  'message.completed': messageCompleted,
  'message.replaced': messageReplaced,
  'message.deleted': messageDeleted,
  'member.entered': memberSchema,
  'member.updated': memberSchema,
  'member.left': memberLeft,
  'run.started': runStarted,
  'run.status': runStatus,
  'run.suspended': runSuspended,
  'run.resumed': runResumed,
  'run.finished': runFinished,
  'run.failed': runFailed,
  'run.cancelled': runCancelled,
  'run.lost': runLost,
  'input.received': inputReceived,
  'input.delivered': inputDelivered,
  'input.expired': inputExpired,
  'question.asked': questionAsked,
  'question.answered': questionAnswered,
  'state.set': stateSet,
  'state.deleted': stateDeleted,
  'effect.reserved': effectReserved,
  'effect.done': effectDone,
  'effect.unknown': effectUnknown,
  'effect.retried': effectRetried,
  'control.taken': controlTaken,
  'control.released': controlReleased,
  'delivery.pending': deliveryPending,
  'delivery.acked': deliveryAcked,
  'delivery.failed': deliveryFailed,
} as const

/** The types that a caller may append, beside `x.*`. */
export const MESSAGE_TYPES = [
  'message.started',
  'message.delta',
  'message.completed',
  'message.replaced',
  'message.deleted',
] as const
export type MessageType = (typeof MESSAGE_TYPES)[number]

export function isMessageType(type: string): type is MessageType {
  return (MESSAGE_TYPES as readonly string[]).includes(type)
}

/** An application's own type: `x.` and up to 62 of a-z 0-9 _ . - */
export const APPLICATION_TYPE = /^x\.[a-z0-9][a-z0-9_.-]{0,61}$/

/** The nouns that only the server writes. */
export const RESERVED_NOUNS = /^(session|member|run|input|question|state|effect|control|delivery)\./
