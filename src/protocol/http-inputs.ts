import * as z from 'zod/mini'
import { ackFrame } from './frames-down.ts'
import { INPUT_MODES } from './input-events.ts'
import { idSchema, partSchema } from './messages.ts'
import { LIVE_STATUSES, OVER_STATUSES } from './run-events.ts'

/** The bodies of the HTTP API about inputs: what is taken, strictly, and what is answered. [P-11] */

const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max))
/** A year: what waits longer is meant to wait for ever. */
const MAX_WAIT_MS = 365 * 24 * 60 * 60 * 1000
export const expiresInMs = z.optional(
  z.number().check(z.int(), z.minimum(1), z.maximum(MAX_WAIT_MS)),
)

export const inputBody = z.strictObject({
  input: z.optional(idSchema),
  mode: z.enum(INPUT_MODES),
  /** The run that it is meant for; without it, whichever lives, or comes next. */
  run: z.optional(idSchema),
  /** What people read of it: the same commit appends a message of the user. */
  parts: z.optional(z.array(partSchema).check(z.maxLength(1000))),
  /** Of that message; without `parts`, the message that is to be answered, again or for the first time. */
  parent: z.optional(z.nullable(idSchema)),
  data: z.optional(z.unknown()),
  expiresInMs,
})

export const deliverBody = z.strictObject({ run: idSchema, step: z.optional(text(200)) })
export const cancelInputBody = z.strictObject({ reason: z.optional(text(500)) })

const { session, epoch, first, last, serials, duplicates, durability } = ackFrame.shape
const input = z.string()
const run = z.string()
const parent = z.optional(z.nullable(z.string()))

export const inputAnswer = z.object({
  input,
  outcome: z.enum(['queued', 'delivered', 'too_late']),
  session,
  epoch,
  first,
  last,
  serials,
  duplicates,
  durability,
})

export const inputsAnswer = z.object({
  inputs: z.array(
    z.object({
      id: input,
      mode: z.enum(INPUT_MODES),
      run: z.nullable(run),
      message: z.nullable(z.string()),
      parent,
      data: z.unknown(),
      expiresAt: z.nullable(z.number()),
      by: z.string(),
      at: z.number(),
      serial: z.number(),
    }),
  ),
})

export const inputFateAnswer = z.object({
  input,
  status: z.enum(['waiting', 'delivered', 'expired', 'cancelled']),
  /** The run that it triggered, or that took it, and at which step. */
  run: z.optional(run),
  step: z.optional(z.string()),
})

/** `parent`: of the first message with which the run answers it; missing where there is nothing that it would answer. */
export const deliverAnswer = z.object({ input, run, parent })
export const cancelInputAnswer = z.object({
  input,
  cancelled: z.boolean(),
  /** The run that it triggered, and what that is now. */
  run: z.optional(run),
  status: z.optional(z.enum([...LIVE_STATUSES, ...OVER_STATUSES])),
})
