import * as z from 'zod/mini'
import { MEMBER_KINDS } from './capabilities.ts'
import { idSchema } from './messages.ts'
import { controlTaken } from './record-events.ts'

/** The bodies of the HTTP API about control: what is taken, strictly, and what is answered. [P-14] */

export const takeBody = z.strictObject({
  /** Also from somebody else who has it. */
  force: z.optional(z.boolean()),
  /** As what; where the credentials say it, it may be left out. */
  kind: z.optional(z.enum(MEMBER_KINDS)),
  /** The subject's own tab or device. */
  member: z.optional(idSchema),
})

export const releaseBody = z.strictObject({})

/** `taken: false`: the subject had it already. */
export const takeAnswer = z.object({ controller: controlTaken, taken: z.boolean() })

/** `released: false`: nobody had it. */
export const releaseAnswer = z.object({ released: z.boolean() })
