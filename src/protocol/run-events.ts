import * as z from 'zod/mini'
import { idSchema } from './messages.ts'

/** The data of `run.*` events: one execution of an agent within a session. [P-10] */

export const LIVE_STATUSES = ['thinking', 'streaming', 'waiting', 'stalled'] as const
/** `lost` is over too, but a new process may adopt the run and go on. */
export const OVER_STATUSES = ['finished', 'failed', 'cancelled', 'lost'] as const
export type LiveStatus = (typeof LIVE_STATUSES)[number]
export type RunStatus = LiveStatus | (typeof OVER_STATUSES)[number]

const text = (max: number) => z.string().check(z.maxLength(max))
const count = z.number().check(z.int(), z.minimum(1))

export const runStarted = z.strictObject({
  run: idSchema,
  epoch: count,
  /** The agent's name. */
  agent: z.optional(text(128)),
  /** What the run answers: an input's or a message's id. One run a trigger. */
  trigger: z.optional(idSchema),
  metadata: z.optional(z.record(z.string(), z.unknown())),
})

/** What the run does, as the server sees it or the agent says it. Fields that are left out stay as they were. */
export const runStatus = z.strictObject({
  run: idSchema,
  status: z.enum(LIVE_STATUSES),
  step: z.optional(text(200)),
  detail: z.optional(text(500)),
  /** What a process that adopts the run needs to go on. */
  checkpoint: z.optional(z.unknown()),
})

export const runSuspended = z.strictObject({ run: idSchema, reason: z.optional(text(500)) })

/** Goes on after a suspension; or, with another epoch, in the hands of a new process. */
export const runResumed = z.strictObject({
  run: idSchema,
  epoch: count,
  reason: z.enum(['resumed', 'answered', 'adopted']),
})

export const runFinished = z.strictObject({ run: idSchema, output: z.optional(z.unknown()) })
export const runFailed = z.strictObject({
  run: idSchema,
  error: z.strictObject({ message: text(2000), code: z.optional(text(64)) }),
})
/** `input`: the interrupt that cancelled it. */
export const runCancelled = z.strictObject({
  run: idSchema,
  reason: z.optional(text(500)),
  input: z.optional(idSchema),
})
/** The lease is over without a word of the agent. */
export const runLost = z.strictObject({ run: idSchema, epoch: count })

export type RunStarted = z.infer<typeof runStarted>
export type RunStatusData = z.infer<typeof runStatus>
export type RunResumed = z.infer<typeof runResumed>
export type RunFinished = z.infer<typeof runFinished>
export type RunFailed = z.infer<typeof runFailed>
