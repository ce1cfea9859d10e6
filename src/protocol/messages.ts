import * as z from 'zod/mini'
import { ID_PATTERN } from './ids.ts'

/**
 * The data of the five message events. What people read: a message is an ordered list of parts;
 * a text delta extends a part, anything else adds one. [P-3]
 */

export const idSchema = z.string().check(z.regex(ID_PATTERN))
export const ROLES = ['user', 'assistant', 'system', 'tool'] as const
export type Role = (typeof ROLES)[number]

const json = z.unknown()
const metadata = z.record(z.string(), json)

/**
 * A part: `type` says what it is (`text`, `reasoning`, `tool`, `file`, `source`, `data-*`, `step-start`, `part-info` or an application's own);
 * every other field is the application's. A part with an `id` that the message has already replaces that part.
 */
export const partSchema = z.looseObject({
  type: z.string().check(z.minLength(1), z.maxLength(64)),
  id: z.optional(idSchema),
  text: z.optional(z.string()),
})
export type Part = z.infer<typeof partSchema>

const parts = z.array(partSchema).check(z.maxLength(1000))

/** Begins a message. `parent` omitted: the message that was started last; `null`: a root. A second child of one parent is a fork. */
export const messageStarted = z.strictObject({
  message: idSchema,
  role: z.enum(ROLES),
  parent: z.optional(z.nullable(idSchema)),
  parts: z.optional(parts),
  metadata: z.optional(metadata),
})

/**
 * Extends a message: either `text` is added to the part `part` (made at the end with `type`, default `text`, when it is not there),
 * or `add` is appended as a new part.
 */
export const messageDelta = z.union([
  z.strictObject({
    message: idSchema,
    part: z.optional(idSchema),
    type: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
    text: z.string(),
  }),
  z.strictObject({ message: idSchema, add: partSchema }),
])

export const COMPLETIONS = ['completed', 'interrupted', 'failed'] as const

/**
 * Ends a message. `parts`, when given, is the whole content and replaces what the deltas built. With `role`, it also
 * starts a message that was not started: a person's message is one event.
 */
export const messageCompleted = z.strictObject({
  message: idSchema,
  role: z.optional(z.enum(ROLES)),
  parent: z.optional(z.nullable(idSchema)),
  parts: z.optional(parts),
  metadata: z.optional(metadata),
  status: z.optional(z.enum(COMPLETIONS)),
})

/** Puts new content in the place of a message's, whether or not it is complete. */
export const messageReplaced = z.strictObject({
  message: idSchema,
  parts,
  metadata: z.optional(metadata),
})

/** Empties a message; its place in the tree stays, so that siblings and children are never lost. */
export const messageDeleted = z.strictObject({
  message: idSchema,
  reason: z.optional(z.string().check(z.maxLength(500))),
})

export type MessageStarted = z.infer<typeof messageStarted>
export type MessageDelta = z.infer<typeof messageDelta>
export type MessageCompleted = z.infer<typeof messageCompleted>
export type MessageReplaced = z.infer<typeof messageReplaced>
export type MessageDeleted = z.infer<typeof messageDeleted>
