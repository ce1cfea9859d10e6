import { createSecretKey, randomUUID, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import * as z from 'zod'
import type { Grant } from '../core/access.ts'
import type { Clock } from '../core/clock.ts'
import type { Secret } from '../core/secret.ts'
import { MEMBER_KINDS, type Capability, type MemberKind } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { isKeySubject } from './api-keys.ts'
import {
  AUDIENCE,
  capabilitiesSchema,
  MAX_LIFETIME_MS,
  nameSchema,
  patternsSchema,
  subjectSchema,
  TOKEN_TYPE,
} from './claims.ts'
import { commonPatterns } from './patterns.ts'
import { MAX_TOKEN_BYTES } from './tokens.ts'

/** What a token is asked for. [P-9.7] */
const tokenRequestSchema = z.strictObject({
  subject: subjectSchema,
  sessions: patternsSchema,
  capabilities: capabilitiesSchema,
  ttlMs: z.number().int().min(1000).max(MAX_LIFETIME_MS),
  kind: z.enum(MEMBER_KINDS).optional(),
  name: nameSchema.optional(),
})
export type TokenRequest = z.infer<typeof tokenRequestSchema>

/** A token, and what it really grants: never more than its minter has. */
export interface MintedToken {
  readonly token: string
  /** What it can be taken back by. [P-6.8] */
  readonly jti: string
  readonly subject: string
  readonly sessions: readonly string[]
  readonly capabilities: readonly Capability[]
  readonly kind: MemberKind
  readonly expiresAt: number
}

/** Makes tokens for browsers, signed with the server's secret. */
export class TokenMint {
  readonly #key: KeyObject | null
  readonly #issuer: string
  readonly #clock: Clock

  /** @param secret `null`: this server makes no tokens, it only verifies those of another issuer */
  constructor(secret: Secret | null, issuer: string | null, clock: Clock) {
    this.#key = secret === null ? null : createSecretKey(Buffer.from(secret.reveal()))
    this.#issuer = issuer ?? 'heldline'
    this.#clock = clock
  }

  /**
   * @throws HeldlineError `invalid_request`; `forbidden` where nothing of the request is the minter's to give; `not_found` where this server makes no tokens;
   * `payload_too_large` for a token that could not be shown
   */
  async mint(minter: Grant, asked: TokenRequest): Promise<MintedToken> {
    const request = parseRequest(asked)
    if (this.#key === null)
      throw new HeldlineError('not_found', 'unable to mint; this server has no TOKEN_SECRET')
    const given = narrow(minter, request)
    const now = this.#clock.now()
    const issuedAt = Math.floor(now / 1000)
    const end = Math.min(now + request.ttlMs, minter.expiresAt ?? Number.POSITIVE_INFINITY)
    const expiresAt = Math.floor(end / 1000)
    const { sessions, capabilities, kind } = given
    const { name } = request
    const jti = randomUUID()
    const token = await new SignJWT({
      sessions,
      capabilities,
      kind,
      ...(name !== undefined && { name }),
    })
      .setProtectedHeader({ alg: 'HS256', typ: TOKEN_TYPE })
      .setSubject(request.subject)
      .setIssuer(this.#issuer)
      .setAudience(AUDIENCE)
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .setJti(jti)
      .sign(this.#key)
    if (token.length > MAX_TOKEN_BYTES) {
      throw new HeldlineError(
        'payload_too_large',
        'unable to mint; the token would be too large: name fewer sessions',
        {
          facts: { maxBytes: MAX_TOKEN_BYTES },
        },
      )
    }
    return { token, jti, subject: request.subject, ...given, expiresAt: expiresAt * 1000 }
  }
}

/** Whoever calls may know less than `claims.ts` about what a token may say; what is not good here is not good when it is shown. */
function parseRequest(asked: TokenRequest): TokenRequest {
  const parsed = tokenRequestSchema.safeParse(asked)
  if (parsed.success) return parsed.data
  const fields = [
    ...new Set(parsed.error.issues.map((issue) => String(issue.path[0] ?? 'request'))),
  ]
  throw new HeldlineError(
    'invalid_request',
    `unable to mint; not good for a token: ${fields.join(', ')}`,
    {
      facts: { fields },
    },
  )
}

type Given = Pick<MintedToken, 'kind'> & {
  readonly sessions: string[]
  readonly capabilities: Capability[]
}

/** What of a request is the minter's to give. A token's holder can make tokens for itself alone. */
function narrow(minter: Grant, request: TokenRequest): Given {
  if (!minter.capabilities.has('tokens'))
    throw forbidden('the credentials lack the capability tokens')
  if (!isKeySubject(minter.subject) && request.subject !== minter.subject) {
    throw forbidden('a token can be exchanged only for one of its own subject')
  }
  const kind = request.kind ?? (minter.kind === 'any' ? 'human' : minter.kind)
  if (minter.kind !== 'any' && kind !== minter.kind)
    throw forbidden('the credentials are of another kind')
  const sessions = commonPatterns(request.sessions, minter.sessions)
  if (sessions.length === 0) throw forbidden('the credentials reach none of these sessions')
  const capabilities = [...new Set(request.capabilities)].filter((c) => minter.capabilities.has(c))
  if (capabilities.length === 0) throw forbidden('the credentials have none of these capabilities')
  return { sessions, capabilities, kind }
}

function forbidden(reason: string): HeldlineError {
  return new HeldlineError('forbidden', `unable to mint; ${reason}`)
}
