import * as z from 'zod/mini'
import { idSchema } from './messages.ts'
import { LIVE_STATUSES, OVER_STATUSES, runFailed } from './run-events.ts'

/** The bodies of the HTTP API about runs: what is taken, strictly, and what is answered. [P-10] */

const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max))
const metadata = z.record(z.string(), z.unknown())
const subjects = z.array(text(256)).check(z.maxLength(10))
const reason = z.optional(text(500))
const lease = z.number().check(z.int(), z.minimum(1))

export const startBody = z.strictObject({
  run: z.optional(idSchema),
  /** An input's or a message's id: it has one run. */
  trigger: z.optional(idSchema),
  agent: z.optional(text(128)),
  /** Names the process: asking again, it gets the same epoch. */
  producer: z.optional(idSchema),
  leaseMs: z.optional(lease),
  metadata: z.optional(metadata),
  /** The subjects that the result is for. */
  deliverTo: z.optional(subjects),
})

export const adoptBody = z.strictObject({ producer: z.optional(idSchema) })

export const heartbeatBody = z.strictObject({})

export const reportBody = z.strictObject({
  status: z.optional(z.enum(['thinking', 'stalled'])),
  step: z.optional(text(200)),
  detail: z.optional(text(500)),
  checkpoint: z.optional(z.unknown()),
})

export const suspendBody = z.strictObject({ reason })
export const resumeBody = z.strictObject({})

/** With `error` it has failed, else it is finished. */
export const finishBody = z.strictObject({
  output: z.optional(z.unknown()),
  error: z.optional(runFailed.shape.error),
  deliverTo: z.optional(subjects),
})

export const cancelBody = z.strictObject({ reason })

const run = z.string()
const epoch = z.number()
const leaseMs = z.number()
const live = z.enum(LIVE_STATUSES)
const status = z.enum([...LIVE_STATUSES, ...OVER_STATUSES])

/** Without an epoch, the run is in other hands. */
export const startAnswer = z.object({
  run,
  epoch: z.optional(epoch),
  status,
  created: z.boolean(),
  leaseMs,
})
export const adoptAnswer = z.object({ run, epoch, status: live, leaseMs })
export const heartbeatAnswer = z.object({
  run,
  live: z.boolean(),
  status,
  inputs: z.number(),
  leaseMs,
})
export const statusAnswer = z.object({ run, status })
export const cancelAnswer = z.object({ run, status, cancelled: z.boolean() })

/** A run as the view has it. */
export const runAnswer = z.object({
  id: run,
  epoch,
  agent: z.nullable(z.string()),
  trigger: z.nullable(z.string()),
  status,
  step: z.nullable(z.string()),
  detail: z.nullable(z.string()),
  checkpoint: z.unknown(),
  output: z.unknown(),
  error: z.nullable(runFailed.shape.error),
  metadata,
  by: z.string(),
  startedAt: z.number(),
  updatedAt: z.number(),
  serial: z.number(),
  /** The ids of its open messages. */
  messages: z.array(z.string()),
})
export const runsAnswer = z.object({ runs: z.array(runAnswer), position: z.string() })
