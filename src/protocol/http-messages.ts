import * as z from 'zod/mini'
import { memberSchema } from './event.ts'
import { effectsAnswer } from './http-effects.ts'
import { inputsAnswer } from './http-inputs.ts'
import { runAnswer } from './http-runs.ts'
import { stateAnswer } from './http-state.ts'
import { questionAnswered, questionAsked } from './input-events.ts'
import { COMPLETIONS, partSchema, ROLES } from './messages.ts'
import { controlTaken } from './record-events.ts'

/** The folded view over HTTP. [P-9.6] */

const serial = z.number()
const metadata = z.record(z.string(), z.unknown())

const messageAnswer = z.object({
  id: z.string(),
  role: z.enum(ROLES),
  parent: z.nullable(z.string()),
  parts: z.array(partSchema),
  status: z.enum(['open', ...COMPLETIONS, 'deleted']),
  metadata,
  by: z.string(),
  run: z.optional(z.string()),
  startedAt: z.number(),
  updatedAt: z.number(),
  first: serial,
  serial,
})

const question = z.object({
  id: z.string(),
  run: z.nullable(z.string()),
  prompt: z.string(),
  schema: z.nullable(questionAsked.shape.schema),
  data: z.unknown(),
  expiresAt: z.nullable(z.number()),
  status: z.enum(['open', ...questionAnswered.shape.outcome.options]),
  answer: z.unknown(),
  answeredBy: z.nullable(z.string()),
  askedAt: z.number(),
  serial,
})

/** A result that its person has not taken yet. */
const delivery = z.object({
  id: z.string(),
  run: z.string(),
  to: z.string(),
  status: z.enum(['pending', 'failed']),
  serial,
  at: z.number(),
})

export const messagesAnswer = z.object({
  messages: z.array(messageAnswer),
  position: z.string(),
  /** Everything of the view but its messages, as in a snapshot. */
  rest: z.object({
    tip: z.nullable(z.string()),
    members: z.array(memberSchema),
    metadata,
    createdAt: z.nullable(z.number()),
    closedAt: z.nullable(z.number()),
    runs: z.array(z.omit(runAnswer, { messages: true })),
    inputs: inputsAnswer.shape.inputs,
    questions: z.array(question),
    state: stateAnswer.shape.state,
    effects: effectsAnswer.shape.effects,
    deliveries: z.array(delivery),
    controller: z.nullable(controlTaken),
  }),
  more: z.boolean(),
})
