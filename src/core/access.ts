import { matchesPattern, type Capability, type MemberKind } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'

/** What good credentials prove: who this is, and what they may do where. Immutable. */
export interface Grant {
  /** `key:<id>` of an API key, or the token's `sub`. */
  readonly subject: string
  /** As what the subject may be a member. */
  readonly kind: MemberKind | 'any'
  readonly name?: string
  readonly sessions: readonly string[]
  readonly capabilities: ReadonlySet<Capability>
  /** Milliseconds since 1970; `null`: does not expire. */
  readonly expiresAt: number | null
  /** Of a token alone: what it may be taken back by. */
  readonly token?: TokenMark
}

export interface TokenMark {
  /** `null`: it has no id, and is taken back with its subject alone. */
  readonly jti: string | null
  /** Milliseconds since 1970, by the issuer's clock; whole seconds, as tokens have them. */
  readonly issuedAt: number
}

/** Tokens that were taken back before their end: the port that `auth/` implements. [P-6.8] */
export interface Revocations {
  /** Whether the grant is that of such a token. Looks at memory alone. */
  has(grant: Grant): boolean
  /** `listener` is called after tokens were taken back: whatever is open is to be looked at again. */
  onRevoked(listener: () => void): { close(): void }
}

/** What is said to whoever goes on with a token that was taken back. */
export function tokenRevoked(): HeldlineError {
  return new HeldlineError('invalid_token', 'unable to go on; the token was revoked')
}

export function reaches(grant: Grant, session: SessionId): boolean {
  return grant.sessions.some((pattern) => matchesPattern(pattern, session))
}

/**
 * The name is checked before anything is looked up, so that a refusal says nothing about what exists. [P-6.2]
 * @throws HeldlineError `session_not_found` without any right on the name, `forbidden` without this one
 */
export function demand(grant: Grant, capability: Capability, session: SessionId): void {
  if (!reaches(grant, session)) {
    throw new HeldlineError(
      'session_not_found',
      `unable to ${capability}; there is no such session`,
    )
  }
  if (!grant.capabilities.has(capability)) {
    throw new HeldlineError(
      'forbidden',
      `unable to ${capability}; the credentials lack this capability`,
    )
  }
}

/** Slows down who guesses credentials: the port that `auth/` implements. */
export interface Attempts {
  /** Runs an attempt from an address, or refuses it. @throws HeldlineError `rate_limited`, what the attempt throws */
  attempt(address: string, authenticate: () => Promise<Grant>): Promise<Grant>
}

/** Turns what a caller shows into a grant: the port that `auth/` implements. */
export interface Authenticator {
  /**
   * A token, or `<key id>:<secret>`.
   * @throws HeldlineError `invalid_token` or `unauthenticated`, one text for every reason
   */
  authenticate(credential: string): Promise<Grant>
  /**
   * Redeems a ticket, once, for the grant of whoever asked for it.
   * @param origin the Origin header of the connection, or `null`
   * @throws HeldlineError `invalid_token`
   */
  redeem(ticket: string, origin: string | null): Promise<Grant>
}
