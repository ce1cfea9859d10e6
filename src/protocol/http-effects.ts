import * as z from 'zod/mini'
import { idSchema } from './messages.ts'

/** The bodies of the HTTP API about effects: what is taken, strictly, and what is answered. [P-13] */

const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max))

export const reserveBody = z.strictObject({
  run: idSchema,
  /** Names the effect. Without it, it is made of the run, the tool and the arguments. */
  key: z.optional(idSchema),
  tool: z.optional(text(128)),
  args: z.optional(z.unknown()),
})

export const doneBody = z.strictObject({
  /** The run that reserved it. */
  run: idSchema,
  result: z.optional(z.unknown()),
})

export const decideBody = z.union([
  z.strictObject({ outcome: z.literal('done'), result: z.optional(z.unknown()) }),
  z.strictObject({ outcome: z.literal('retry') }),
])

const effect = z.string()
const attempt = z.number()

export const reserveAnswer = z.object({
  effect,
  /** `reserved`: do it now, then record it. Anything else: do not. */
  status: z.enum(['reserved', 'in_progress', 'done', 'unknown']),
  attempt,
  /** What was recorded. */
  result: z.optional(z.unknown()),
})

export const effectChangeAnswer = z.object({ effect, status: z.enum(['done', 'retry']) })

export const effectAnswer = z.object({
  effect,
  run: z.string(),
  tool: z.nullable(z.string()),
  status: z.enum(['reserved', 'done', 'unknown', 'retry']),
  attempt,
  result: z.optional(z.unknown()),
})

export const effectsAnswer = z.object({
  effects: z.array(
    z.object({
      id: effect,
      run: z.string(),
      tool: z.nullable(z.string()),
      status: z.enum(['reserved', 'unknown']),
      at: z.number(),
      serial: z.number(),
    }),
  ),
})
