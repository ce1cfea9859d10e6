import * as z from 'zod/mini'
import { expiresInMs } from './http-inputs.ts'
import { questionAnswered, questionAsked } from './input-events.ts'
import { idSchema } from './messages.ts'

/** The bodies of the HTTP API about questions: what is taken, strictly, and what is answered. [P-11.5] */

export const askBody = z.strictObject({
  question: z.optional(idSchema),
  /** The run that waits for the answer. */
  run: z.optional(idSchema),
  prompt: questionAsked.shape.prompt.check(z.minLength(1)),
  /** JSON Schema of the answer. */
  schema: questionAsked.shape.schema,
  data: z.optional(z.unknown()),
  expiresInMs,
})

export const answerBody = z.strictObject({ answer: z.unknown() })
export const withdrawBody = z.strictObject({})

const question = z.string()
const status = z.enum(['open', ...questionAnswered.shape.outcome.options])

export const askAnswer = z.object({ question, status })
export const answerAnswer = z.object({ question, status })

export const questionAnswer = z.object({
  question,
  status,
  run: z.nullable(z.string()),
  prompt: z.string(),
  schema: questionAsked.shape.schema,
  data: z.optional(z.unknown()),
  /** The subject that asked, and when. */
  by: z.string(),
  askedAt: z.number(),
  expiresAt: z.nullable(z.number()),
  /** Once it is not open any more: the subject that ended it, and what they answered. */
  answeredBy: z.optional(z.string()),
  answer: z.optional(z.unknown()),
})
