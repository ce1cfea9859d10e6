import * as z from 'zod'
import type { Grant } from '../core/access.ts'
import { CLOCK_TOLERANCE_S, MAX_LIFETIME_MS } from './claims.ts'

/** What is taken back: one token, or all of a subject that were issued so far. */
export const revokedSchema = z.union([
  z.strictObject({ jti: z.string().min(1).max(128) }),
  z.strictObject({ subject: z.string().min(1).max(256) }),
])
export type Revoked = z.infer<typeof revokedSchema>

/** After so long, no token is good that was issued before. */
export const KEPT_MS = MAX_LIFETIME_MS + CLOCK_TOLERANCE_S * 1000

/**
 * The latest moment at which a token was issued that a revocation of its subject takes back. Tokens count whole seconds: of those of that very
 * second, nobody can tell which came before.
 */
export function issuedUntil(at: number): number {
  return Math.floor(at / 1000) * 1000
}

interface Subject {
  readonly issuedUntil: number
  readonly keptUntil: number
}

/** The tokens that were taken back, in memory: what every request is compared with. Entries are in the order in which they end. */
export class RevokedTokens {
  /** Until when each is kept. */
  readonly #ids = new Map<string, number>()
  readonly #subjects = new Map<string, Subject>()

  get size(): number {
    return this.#ids.size + this.#subjects.size
  }

  has({ subject, token }: Grant): boolean {
    if (token === undefined) return false
    if (token.jti !== null && this.#ids.has(token.jti)) return true
    const all = this.#subjects.get(subject)
    return all !== undefined && token.issuedAt <= all.issuedUntil
  }

  /** @param at when it was taken back, in ms since 1970 @returns whether that says anything new */
  add(what: Revoked, at: number): boolean {
    const keptUntil = at + KEPT_MS
    if ('jti' in what) {
      const known = this.#ids.has(what.jti)
      this.#ids.delete(what.jti)
      this.#ids.set(what.jti, keptUntil)
      return !known
    }
    const until = issuedUntil(at)
    const known = this.#subjects.get(what.subject)
    if (known !== undefined && known.issuedUntil >= until) return false
    this.#subjects.delete(what.subject)
    this.#subjects.set(what.subject, { issuedUntil: until, keptUntil })
    return true
  }

  /** Forgets what no token could be good for any more. */
  forget(now: number): void {
    for (const [jti, keptUntil] of this.#ids) {
      if (keptUntil > now) break
      this.#ids.delete(jti)
    }
    for (const [subject, { keptUntil }] of this.#subjects) {
      if (keptUntil > now) break
      this.#subjects.delete(subject)
    }
  }
}
