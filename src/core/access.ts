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
