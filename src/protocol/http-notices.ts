import * as z from 'zod/mini'

/** Notices over HTTP. [P-17.4] */

export const noticeAnswer = z.object({
  notice: z.string(),
  type: z.enum(['input.received', 'presence.attached', 'presence.empty']),
  /** The input that it is about. */
  input: z.optional(z.string()),
  status: z.enum(['pending', 'told', 'failed']),
  /** How often it was sent. */
  attempts: z.number(),
  /** What the last try came to. */
  reason: z.optional(z.string()),
})

export const noticesAnswer = z.object({ notices: z.array(noticeAnswer) })
