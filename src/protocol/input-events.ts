import * as z from 'zod/mini'
import { idSchema } from './messages.ts'

/** The data of `input.*` and `question.*` events: what people send to an agent, and what it asks them. [P-11] */

/** For the next run; at the next step; now. */
export const INPUT_MODES = ['queue', 'steer', 'interrupt'] as const
export type InputMode = (typeof INPUT_MODES)[number]

const text = (max: number) => z.string().check(z.maxLength(max))

export const inputReceived = z.strictObject({
  input: idSchema,
  mode: z.enum(INPUT_MODES),
  /** The run that it is meant for; without it, whichever comes next. */
  run: z.optional(idSchema),
  /** The message that says it to people too. */
  message: z.optional(idSchema),
  /** Of that message; without one, the message that is to be answered (`null`: none, by a root). [P-16.5] */
  parent: z.optional(z.nullable(idSchema)),
  data: z.optional(z.unknown()),
  /** Milliseconds since 1970. */
  expiresAt: z.optional(z.number()),
})

export const inputDelivered = z.strictObject({
  input: idSchema,
  run: idSchema,
  /** The step of the run at which the agent took it. */
  step: z.optional(text(200)),
})

export const INPUT_ENDS = ['expired', 'cancelled'] as const
export const inputExpired = z.strictObject({ input: idSchema, reason: z.enum(INPUT_ENDS) })

export const questionAsked = z.strictObject({
  question: idSchema,
  run: z.optional(idSchema),
  prompt: text(4000),
  /** JSON Schema of the answer. */
  schema: z.optional(z.record(z.string(), z.unknown())),
  data: z.optional(z.unknown()),
  expiresAt: z.optional(z.number()),
})

/** `outcome: "expired"`: nobody answered in time, and nobody can any more. */
export const questionAnswered = z.strictObject({
  question: idSchema,
  run: z.optional(idSchema),
  outcome: z.enum(['answered', 'expired', 'withdrawn']),
  answer: z.optional(z.unknown()),
})

export type InputReceived = z.infer<typeof inputReceived>
export type InputDelivered = z.infer<typeof inputDelivered>
export type InputExpired = z.infer<typeof inputExpired>
export type QuestionAsked = z.infer<typeof questionAsked>
export type QuestionAnswered = z.infer<typeof questionAnswered>
