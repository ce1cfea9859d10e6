import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { Grant } from '../core/access.ts'
import type { Secret } from '../core/secret.ts'
import { AUDIENCE, CLOCK_TOLERANCE_S, grantOfClaims, TOKEN_TYPE } from './claims.ts'
import type { RefusalReason } from './refusal.ts'

const ALGORITHM = 'HS256'

/**
 * Tokens that are signed with the server's own secret: HS256 and nothing else. Within one turn of the event loop, unlike what WebCrypto does on other threads at ten times
 * the cost: when all clients come back at once, no handshake waits for another's token, and none has to be turned away. [P-6.1]
 */
export class SecretTokens {
  readonly #key: KeyObject

  constructor(secret: Secret) {
    this.#key = createSecretKey(Buffer.from(secret.reveal()))
  }

  /** @param issuer the `iss` that it must carry; `null`: any */
  verify(token: string, issuer: string | null, nowMs: number): Grant | RefusalReason {
    const [header = '', payload = '', signature = '', ...more] = token.split('.')
    const head = jsonObject(header)
    // No extension of a header is known here, so one that must be understood is not.
    if (head === null || more.length > 0 || 'crit' in head) return 'malformed'
    if (head['alg'] !== ALGORITHM) return 'algorithm'
    if (!this.#signed(`${header}.${payload}`, signature)) return 'signature'
    const claims = jsonObject(payload)
    if (claims === null) return 'malformed'
    return isForUs(head, claims, issuer, nowMs) ? grantOfClaims(claims, nowMs) : 'claims'
  }

  /** Compared as text: of the spellings that a signature has in base64url, one is taken. */
  #signed(text: string, signature: string): boolean {
    const right = Buffer.from(createHmac('sha256', this.#key).update(text).digest('base64url'))
    const shown = Buffer.from(signature)
    return shown.length === right.length && timingSafeEqual(shown, right)
  }
}

type Json = Readonly<Record<string, unknown>>

/** What the schema of the claims leaves open. */
function isForUs(head: Json, claims: Json, issuer: string | null, nowMs: number): boolean {
  const { aud, nbf, iss } = claims
  if (head['typ'] !== TOKEN_TYPE) return false
  if (aud !== AUDIENCE && !(Array.isArray(aud) && aud.includes(AUDIENCE))) return false
  if (issuer !== null && iss !== issuer) return false
  if (nbf === undefined) return true
  return typeof nbf === 'number' && nbf <= Math.floor(nowMs / 1000) + CLOCK_TOLERANCE_S
}

/** A part of a token: an object of JSON in base64url; `null`: none. */
function jsonObject(part: string): Json | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? // An object of JSON has names and values, and nothing is said of the values.
        (value as Json)
      : null
  } catch {
    return null
  }
}
