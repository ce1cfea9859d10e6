import * as z from 'zod'
import type { Grant } from '../core/access.ts'
import { CAPABILITIES, MEMBER_KINDS, SESSION_PATTERN } from '../protocol/capabilities.ts'
import { isKeySubject } from './api-keys.ts'

export const TOKEN_TYPE = 'heldline+jwt'
export const AUDIENCE = 'heldline'
export const MAX_LIFETIME_MS = 24 * 60 * 60 * 1000
/** How far the clock of whoever made a token may be ahead of ours. */
export const CLOCK_TOLERANCE_S = 30

const MAX_PATTERNS = 100

/** Neither control characters, which would write into logs, nor half of a character. */
function isPlain(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- these are what is refused
  return text.isWellFormed() && !/[\u0000-\u001f\u007f-\u009f]/.test(text)
}

export const subjectSchema = z
  .string()
  .min(1)
  .max(256)
  .refine((subject) => isPlain(subject) && !isKeySubject(subject))

export const nameSchema = z.string().min(1).max(256).refine(isPlain)

/** A bare `*` belongs to API keys alone. */
export const patternsSchema = z
  .array(
    z
      .string()
      .regex(SESSION_PATTERN)
      .refine((pattern) => pattern !== '*'),
  )
  .min(1)
  .max(MAX_PATTERNS)

export const capabilitiesSchema = z.array(z.enum(CAPABILITIES)).min(1).max(CAPABILITIES.length)

const seconds = z
  .number()
  .nonnegative()
  .max(Number.MAX_SAFE_INTEGER / 1000)

/** What a token says, once its signature is good. Claims that are not named here mean nothing. [P-6.1] */
const claimsSchema = z.object({
  sub: subjectSchema,
  iat: seconds,
  exp: seconds,
  iss: z.string().min(1).max(256),
  sessions: patternsSchema,
  capabilities: capabilitiesSchema,
  kind: z.enum(MEMBER_KINDS).optional(),
  name: nameSchema.optional(),
  jti: z.string().min(1).max(128).optional(),
})

/** The grant of a verified token's claims, or why there is none. */
export function grantOfClaims(claims: unknown, nowMs: number): Grant | 'claims' | 'expired' {
  const parsed = claimsSchema.safeParse(claims)
  if (!parsed.success) return 'claims'
  const { sub, iat, exp, sessions, capabilities, kind, name, jti } = parsed.data
  const expiresAt = exp * 1000
  if (expiresAt - iat * 1000 > MAX_LIFETIME_MS) return 'claims'
  if (iat * 1000 > nowMs + CLOCK_TOLERANCE_S * 1000) return 'claims'
  // No tolerance here: a connection refuses frames from this moment on, so admitting it would help nobody.
  if (expiresAt <= nowMs) return 'expired'
  return Object.freeze({
    subject: sub,
    kind: kind ?? 'human',
    ...(name !== undefined && { name }),
    sessions: Object.freeze(sessions),
    capabilities: new Set(capabilities),
    expiresAt,
    token: Object.freeze({ jti: jti ?? null, issuedAt: Math.floor(iat) * 1000 }),
  })
}
