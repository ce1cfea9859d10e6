import * as z from 'zod/mini'
import { idSchema } from './messages.ts'
import { MEMBER_KINDS } from './capabilities.ts'

/** Frames from a client to the server: `{op, ref, …}`. Each is answered by a frame with the same `ref`. [P-4] */

const ref = z.string().check(z.minLength(1), z.maxLength(64))
const session = z.string()
const jsonObject = z.record(z.string(), z.unknown())

/** How a client wants to be seen. `member` names the tab or process; the same name again is the same member. */
export const presenceSchema = z.strictObject({
  member: z.optional(idSchema),
  kind: z.optional(z.enum(MEMBER_KINDS)),
  status: z.optional(z.string().check(z.maxLength(64))),
  visible: z.optional(z.boolean()),
  data: z.optional(jsonObject),
})
export type PresenceRequest = z.infer<typeof presenceSchema>

/** The first frame where the token did not come with the handshake, and every later refresh. [P-6.4] */
export const authFrame = z.strictObject({ op: z.literal('auth'), ref, token: z.string() })

/**
 * Attaches to a session. Without `position`: a snapshot, then what follows. With it: what followed it, or a `reset`.
 * `catchup: "events"` wants every event; the default `auto` gives the folded messages where many were missed. [P-4.2]
 */
export const attachFrame = z.strictObject({
  op: z.literal('attach'),
  ref,
  session,
  position: z.optional(z.string()),
  catchup: z.optional(z.enum(['auto', 'events'])),
  presence: z.optional(presenceSchema),
})

/** Stops watching, and leaves at once where present. Never a cancel. */
export const detachFrame = z.strictObject({ op: z.literal('detach'), ref, session })

/** One event of a publish. Its `data` stays the caller's bytes. */
export const newEventSchema = z.strictObject({
  type: z.string().check(z.maxLength(64)),
  id: z.optional(idSchema),
  data: z.optional(z.unknown()),
})
export type NewEventBody = z.infer<typeof newEventSchema>

export const MAX_EVENTS_A_REQUEST = 1000

export const publishFrame = z.strictObject({
  op: z.literal('publish'),
  ref,
  session,
  events: z.array(newEventSchema).check(z.minLength(1), z.maxLength(MAX_EVENTS_A_REQUEST)),
})

/** An ephemeral fan-out: no serial, never stored, may be lost. Answered only by an error. */
export const signalFrame = z.strictObject({
  op: z.literal('signal'),
  ref: z.optional(ref),
  session,
  name: z.string().check(z.minLength(1), z.maxLength(64)),
  data: z.optional(z.unknown()),
})

/** The subject has read up to `serial`. Kept per subject; it never falls. */
export const readFrame = z.strictObject({
  op: z.literal('read'),
  ref,
  session,
  serial: z.number().check(z.nonnegative(), z.int()),
})

/** Changes how this socket's member is seen. Enters, when it was not present. */
export const presenceFrame = z.strictObject({
  op: z.literal('presence'),
  ref,
  session,
  presence: presenceSchema,
})

/** A sign of life of a run, by the agent that holds it. Where this socket is lost, so is the agent, unless it shows itself soon. [P-10.12] */
export const beatFrame = z.strictObject({
  op: z.literal('beat'),
  ref,
  session,
  run: idSchema,
  epoch: z.number().check(z.int(), z.minimum(1)),
})

export const pingFrame = z.strictObject({ op: z.literal('ping'), ref })

export const UP_FRAMES = {
  auth: authFrame,
  attach: attachFrame,
  detach: detachFrame,
  publish: publishFrame,
  signal: signalFrame,
  read: readFrame,
  presence: presenceFrame,
  beat: beatFrame,
  ping: pingFrame,
} as const

export type Op = keyof typeof UP_FRAMES
export type UpFrame = { [K in Op]: z.infer<(typeof UP_FRAMES)[K]> }[Op]
export type AttachFrame = z.infer<typeof attachFrame>
export type PublishFrame = z.infer<typeof publishFrame>
export type SignalFrame = z.infer<typeof signalFrame>
export type PresenceFrame = z.infer<typeof presenceFrame>
export type BeatFrame = z.infer<typeof beatFrame>
export type ReadFrame = z.infer<typeof readFrame>
