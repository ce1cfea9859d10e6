import * as z from 'zod/mini'
import { CAPABILITIES, MEMBER_KINDS, SESSION_PATTERN } from './capabilities.ts'
import { memberSchema } from './event.ts'
import { ackFrame } from './frames-down.ts'
import {
  MAX_EVENTS_A_REQUEST,
  newEventSchema,
  presenceSchema,
  readFrame,
  signalFrame,
} from './frames-up.ts'

/** The bodies of the HTTP API: what is taken, strictly, and what is answered. [P-9] */

const count = z.number().check(z.int(), z.minimum(1), z.maximum(Number.MAX_SAFE_INTEGER))
/** `null`: no limit of this kind. */
const bound = z.nullable(count)
const metadata = z.record(z.string(), z.unknown())
const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max))

const retention = z.strictObject({
  maxAgeMs: z.optional(bound),
  maxEvents: z.optional(bound),
  maxBytes: z.optional(bound),
})

/** To create a session, and to change one: then `null` in `metadata` removes a key. [P-9.1] */
export const sessionBody = z.strictObject({
  metadata: z.optional(metadata),
  ttlMs: z.optional(bound),
  retention: z.optional(retention),
})
export type SessionBody = z.infer<typeof sessionBody>

export const closeBody = z.strictObject({ reason: z.optional(text(500)) })

const MAX_PRESENCE_MS = 24 * 60 * 60 * 1000

/** Presence of somebody without a socket: it ends `ttlMs` after the last request that names it. [P-5.5] */
export const presenceBody = z.strictObject({
  kind: presenceSchema.shape.kind,
  status: presenceSchema.shape.status,
  visible: presenceSchema.shape.visible,
  data: presenceSchema.shape.data,
  ttlMs: z.optional(z.number().check(z.int(), z.minimum(1000), z.maximum(MAX_PRESENCE_MS))),
})

const MAX_TOKEN_MS = 24 * 60 * 60 * 1000

/** What a token is to prove. It never allows more than the credentials that ask for it. [P-9.7] */
export const tokenBody = z.strictObject({
  /** Not one of an API key: those begin with `key:`. */
  subject: text(256).check(z.regex(/^(?!key:)[^\p{Cc}]+$/u)),
  /** A bare `*` belongs to API keys alone. */
  sessions: z
    .array(
      z
        .string()
        .check(z.regex(SESSION_PATTERN), z.minLength(2, 'one of the patterns is every session')),
    )
    .check(z.minLength(1), z.maxLength(100)),
  capabilities: z
    .array(z.enum(CAPABILITIES))
    .check(z.minLength(1), z.maxLength(CAPABILITIES.length)),
  ttlMs: z.number().check(z.int(), z.minimum(1000), z.maximum(MAX_TOKEN_MS)),
  kind: z.optional(z.enum(MEMBER_KINDS)),
  name: z.optional(text(128).check(z.regex(/^[^\p{Cc}]+$/u))),
})
export type TokenBody = z.infer<typeof tokenBody>

/** One of the two. [P-9.10] */
export const revokeBody = z.strictObject({
  jti: z.optional(text(128)),
  subject: z.optional(text(256).check(z.regex(/^(?!key:)[^\p{Cc}]+$/u))),
})

/** `origin`: the only origin that may use the ticket; without it, that of this very request, where a browser sends one. */
export const ticketBody = z.strictObject({ origin: z.optional(text(512)) })

/** One event, or up to 1,000 at once. [P-9.3] */
export const appendBody = z.union([
  newEventSchema,
  z.array(newEventSchema).check(z.minLength(1), z.maxLength(MAX_EVENTS_A_REQUEST)),
])

const serial = z.number()
const position = z.string()

export const sessionAnswer = z.object({
  session: z.string(),
  metadata,
  ttlMs: bound,
  retention: z.object({ maxAgeMs: bound, maxEvents: bound, maxBytes: bound }),
  createdAt: z.number(),
  closed: z.boolean(),
  head: position,
  floor: serial,
})

export const sessionsAnswer = z.object({
  sessions: z.array(sessionAnswer),
  cursor: z.nullable(z.string()),
})

const { session, epoch, first, last, serials, duplicates, durability } = ackFrame.shape
export const appendAnswer = z.object({
  session,
  epoch,
  first,
  last,
  serials,
  duplicates,
  durability,
})

/** One line of the answer to a stream of lines: a batch of `count` events is in the log; `lines` stand so far. */
export const appendLine = z.object({
  first,
  last,
  count: z.number(),
  lines: z.number(),
  epoch,
  serials,
  duplicates,
  durability,
})

const eventAnswer = z.object({
  serial,
  tag: z.string(),
  prev: z.string(),
  at: z.number(),
  type: z.string(),
  id: z.string(),
  by: z.object({
    subject: z.string(),
    run: z.optional(z.string()),
    member: z.optional(z.string()),
  }),
  data: z.unknown(),
})

export const eventsAnswer = z.object({
  epoch: z.string(),
  events: z.array(eventAnswer),
  position,
  head: position,
  floor: serial,
  more: z.boolean(),
})

export const presenceAnswer = z.object({
  members: z.array(memberSchema),
  attached: z.object({ human: z.number(), agent: z.number(), supervisor: z.number() }),
})

export const signalBody = z.strictObject({
  name: signalFrame.shape.name,
  data: z.optional(z.unknown()),
})
export const readBody = z.strictObject({ serial: readFrame.shape.serial })
export const readAnswer = z.object({ serial: z.number() })

export const memberAnswer = z.object({ member: z.string(), ttlMs: z.number() })
export const tokenAnswer = z.object({
  token: z.string(),
  jti: z.string(),
  subject: z.string(),
  sessions: z.array(z.string()),
  capabilities: z.array(z.enum(CAPABILITIES)),
  kind: z.enum(MEMBER_KINDS),
  expiresAt: z.number(),
})
export const revokeAnswer = z.object({
  jti: z.optional(z.string()),
  subject: z.optional(z.string()),
  issuedUntil: z.optional(z.number()),
  keptUntil: z.number(),
})
export const ticketAnswer = z.object({
  ticket: z.string(),
  expiresAt: z.number(),
})
export const probeAnswer = z.object({ status: z.string() })

/** Every refusal. [P-8.1] */
export const problemAnswer = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  code: z.string(),
  detail: z.string(),
  requestId: z.string(),
  retryable: z.boolean(),
  next: z.string(),
})
