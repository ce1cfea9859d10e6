import * as z from 'zod/mini'

/** Deliveries over HTTP. [P-15.4] */

export const deliveryAnswer = z.object({
  delivery: z.string(),
  run: z.string(),
  /** The subject that the result is for. */
  to: z.string(),
  status: z.enum(['pending', 'acked', 'failed']),
  /** How often it was sent. */
  attempts: z.number(),
  /** What the last try came to. */
  reason: z.optional(z.string()),
  serial: z.nullable(z.number()),
  at: z.nullable(z.number()),
})

export const deliveriesAnswer = z.object({ deliveries: z.array(deliveryAnswer) })
