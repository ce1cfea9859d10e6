import * as z from 'zod/mini'
import { MEMBER_KINDS } from './capabilities.ts'
import { idSchema } from './messages.ts'

/** The data of `state.*`, `effect.*`, `control.*` and `delivery.*` events: what the session keeps beside its messages. [P-12] [P-13] [P-14] [P-15] */

const text = (max: number) => z.string().check(z.maxLength(max))
const version = z.number().check(z.int(), z.minimum(1))

export const stateSet = z.strictObject({ key: idSchema, version, value: z.unknown() })
/** The version goes on where the key is set again. */
export const stateDeleted = z.strictObject({ key: idSchema, version })

export const effectReserved = z.strictObject({
  effect: idSchema,
  run: idSchema,
  tool: z.optional(text(128)),
  /** How often it was reserved: over 1 only where somebody decided that it may be tried again. */
  attempt: version,
})
export const effectDone = z.strictObject({ effect: idSchema, result: z.optional(z.unknown()) })
/** Whoever reserved it died before it said what became of it. */
export const effectUnknown = z.strictObject({ effect: idSchema, run: idSchema })
/** Somebody has decided that one that is unknown may be tried again. */
export const effectRetried = z.strictObject({ effect: idSchema, run: idSchema })

export const controlTaken = z.strictObject({
  subject: text(256),
  kind: z.enum(MEMBER_KINDS),
  member: z.optional(idSchema),
})
export const controlReleased = z.strictObject({ subject: text(256) })
export type Controller = z.infer<typeof controlTaken>

export const deliveryPending = z.strictObject({
  delivery: idSchema,
  run: idSchema,
  /** The subject that the result is for. */
  to: text(256),
})
export const deliveryAcked = z.strictObject({
  delivery: idSchema,
  /** It has read up to the result, or the webhook took it. */
  via: z.enum(['read', 'webhook']),
})
/** A dead letter: it can be replayed. */
export const deliveryFailed = z.strictObject({
  delivery: idSchema,
  /** How often it was sent. */
  attempts: z.number().check(z.int(), z.minimum(0)),
  /** What the last try came to, in a word; `superseded` where newer ones took its place. */
  reason: text(64),
})

export type StateSet = z.infer<typeof stateSet>
export type StateDeleted = z.infer<typeof stateDeleted>
export type EffectReserved = z.infer<typeof effectReserved>
export type EffectUnknown = z.infer<typeof effectUnknown>
export type DeliveryPending = z.infer<typeof deliveryPending>
export type DeliveryAcked = z.infer<typeof deliveryAcked>
export type DeliveryFailed = z.infer<typeof deliveryFailed>
