import * as z from 'zod/mini'
import { idSchema } from './messages.ts'

/** The bodies of the HTTP API about the shared state: what is taken, and what is answered. [P-12] */

/** Any JSON value. */
export const stateBody = z.unknown()

export const mergePatchBody = z.unknown()

const path = z.string()
const value = z.unknown()

/** Members that an operation does not define are ignored. [RFC 6902] */
export const jsonPatchBody = z
  .array(
    z.union([
      z.looseObject({ op: z.enum(['add', 'replace', 'test']), path, value }),
      z.looseObject({ op: z.literal('remove'), path }),
      z.looseObject({ op: z.enum(['move', 'copy']), path, from: z.string() }),
    ]),
  )
  .check(z.maxLength(1000))

export const stateChangeAnswer = z.object({
  key: idSchema,
  version: z.number(),
  /** Of the change in the log. */
  position: z.string(),
  durability: z.string(),
})

export const stateAnswer = z.object({
  state: z.array(z.object({ key: idSchema, version: z.number(), value: z.unknown() })),
})
