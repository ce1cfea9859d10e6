import { createSecretKey, hash, type KeyObject } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify, type JWTVerifyOptions } from 'jose'
import type { Grant } from '../core/access.ts'
import type { Clock } from '../core/clock.ts'
import type { Secret } from '../core/secret.ts'
import { AUDIENCE, CLOCK_TOLERANCE_S, grantOfClaims, TOKEN_TYPE } from './claims.ts'
import { KeysUnavailable, type KeySet } from './key-set.ts'
import { refusal, type RefusalReason } from './refusal.ts'

export const MAX_TOKEN_BYTES = 4096

export interface TokenVerifierOptions {
  readonly secret: Secret | null
  /** Of a secret that is being replaced, or is about to be: its tokens are good, too. */
  readonly accepted?: Secret | null
  readonly keySet: KeySet | null
  /** The `iss` that every token must carry; `null`: any. */
  readonly issuer: string | null
  readonly clock: Clock
  readonly maxCached?: number
}

/** Each configured key with the algorithms that it may be used with: what a token's header asks for changes nothing about that. */
const SECRET_ALGORITHMS = ['HS256']
const KEY_SET_ALGORITHMS = ['EdDSA', 'ES256', 'RS256']

/** A key that left the key set must not live on in the cache for a day. */
const KEY_SET_CACHE_MS = 10 * 60_000

interface Cached {
  readonly grant: Grant
  readonly until: number
}

/** Verifies tokens. What was verified is remembered by digest until it ends, within a bound. */
export class TokenVerifier {
  /** That of now first: most tokens are its. */
  readonly #secrets: readonly KeyObject[]
  readonly #options: TokenVerifierOptions
  readonly #maxCached: number
  /** In the order of their last use. */
  readonly #cache = new Map<string, Cached>()

  constructor(options: TokenVerifierOptions) {
    this.#options = options
    this.#maxCached = options.maxCached ?? 10_000
    this.#secrets = [options.secret, options.accepted ?? null].flatMap((secret) =>
      secret === null ? [] : [createSecretKey(Buffer.from(secret.reveal()))],
    )
  }

  /** @throws HeldlineError `invalid_token`; `internal` when the keys cannot be had, which says nothing about the token */
  async verify(token: string): Promise<Grant> {
    if (token.length > MAX_TOKEN_BYTES) throw refusal('invalid_token', 'too_large')
    const digest = hash('sha256', token, 'base64url')
    const cached = this.#recall(digest)
    if (cached !== null) return cached
    const grant = await this.#verify(token)
    if (typeof grant === 'string') throw refusal('invalid_token', grant)
    this.#remember(digest, grant, algorithmOf(token) === 'HS256')
    return grant
  }

  async #verify(token: string): Promise<Grant | RefusalReason> {
    const algorithm = algorithmOf(token)
    if (algorithm === null) return 'malformed'
    const now = this.#options.clock.now()
    try {
      const verified = await this.#checkSignature(token, algorithm, now)
      return verified === null ? 'algorithm' : grantOfClaims(verified.payload, now)
    } catch (error) {
      if (error instanceof KeysUnavailable) throw error.asHeldlineError()
      return reasonOf(error)
    }
  }

  /** `null`: no configured key takes this algorithm. */
  async #checkSignature(token: string, algorithm: string, now: number) {
    const { issuer, keySet } = this.#options
    const options: JWTVerifyOptions = {
      typ: TOKEN_TYPE,
      audience: AUDIENCE,
      ...(issuer !== null && { issuer }),
      requiredClaims: ['sub', 'iat', 'exp', 'iss', 'aud'],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(now),
    }
    if (SECRET_ALGORITHMS.includes(algorithm)) {
      return this.#ours(token, { ...options, algorithms: SECRET_ALGORITHMS })
    }
    if (keySet !== null && KEY_SET_ALGORITHMS.includes(algorithm)) {
      const key = keySet.keyOf
      return jwtVerify(token, key, { ...options, algorithms: KEY_SET_ALGORITHMS })
    }
    return null
  }

  /** By the secret that made it, where one of ours did; `null`: there is none. */
  async #ours(token: string, options: JWTVerifyOptions) {
    const last = this.#secrets.length - 1
    for (const [index, secret] of this.#secrets.entries()) {
      try {
        return await jwtVerify(token, secret, options)
      } catch (error) {
        if (index === last || !(error instanceof errors.JWSSignatureVerificationFailed)) throw error
      }
    }
    return null
  }

  #recall(digest: string): Grant | null {
    const cached = this.#cache.get(digest)
    if (cached === undefined) return null
    this.#cache.delete(digest)
    if (cached.until <= this.#options.clock.now()) return null
    this.#cache.set(digest, cached)
    return cached.grant
  }

  #remember(digest: string, grant: Grant, ours: boolean): void {
    const soon = this.#options.clock.now() + KEY_SET_CACHE_MS
    const ends = grant.expiresAt ?? soon
    this.#cache.set(digest, { grant, until: ours ? ends : Math.min(ends, soon) })
    if (this.#cache.size <= this.#maxCached) return
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest)
      return
    }
  }
}

/** The `alg` of a token's header, before anything is proven; `null` when it has no such form. */
function algorithmOf(token: string): string | null {
  try {
    return decodeProtectedHeader(token).alg ?? null
  } catch {
    return null
  }
}

/** The libraries' errors may quote what they were given, so only their kind is used. */
function reasonOf(error: unknown): RefusalReason {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) return 'claims'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JWKSNoMatchingKey) return 'retired_key'
  return 'malformed'
}
