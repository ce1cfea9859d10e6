import { createLocalJWKSet, errors, type JWTVerifyGetKey, type JSONWebKeySet } from 'jose'
import * as z from 'zod'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { HeldlineError } from '../protocol/errors.ts'

export interface KeySetOptions {
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  readonly fetch?: typeof fetch
}

/** Keys older than this are fetched again, beside the verification that noticed. */
const MAX_AGE_MS = 10 * 60_000
/** Between two attempts to fetch, whatever tokens ask for. */
const COOLDOWN_MS = 30_000
const TIMEOUT_MS = 5000
const MAX_BYTES = 256 * 1024

/** There is no key set yet, and it cannot be fetched. Says nothing about a token. */
export class KeysUnavailable extends Error {
  asHeldlineError(): HeldlineError {
    return new HeldlineError(
      'internal',
      'unable to authenticate; the keys of tokens cannot be fetched',
      {
        retryAfterMs: COOLDOWN_MS,
      },
    )
  }
}

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) })

/**
 * The public keys of an issuer, from the one configured address: no header of a token names another. Old keys serve while new ones
 * cannot be fetched; a key that is not known is looked for once in a while.
 */
export class KeySet {
  readonly #options: KeySetOptions
  #find: JWTVerifyGetKey | null = null
  #fetchedAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #attempt: Promise<void> | null = null

  constructor(options: KeySetOptions) {
    this.#options = options
  }

  /** The key that a token's header names. As `jwtVerify` wants it. */
  readonly keyOf: JWTVerifyGetKey = async (header, token) => {
    if (this.#find === null) await this.#refresh()
    else if (this.#since(this.#fetchedAt) > MAX_AGE_MS) void this.#refresh()
    if (this.#find === null) throw new KeysUnavailable('no keys')
    try {
      return await this.#find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await this.#refresh()
      return this.#find(header, token)
    }
  }

  /** One attempt at a time, and none when one was made just now. Never rejects. */
  async #refresh(): Promise<void> {
    if (this.#attempt !== null) return this.#attempt
    if (this.#since(this.#triedAt) < COOLDOWN_MS) return
    this.#attempt = this.#replace()
    await this.#attempt
    this.#attempt = null
  }

  /** Of a time that is yet to come nobody knows how long ago it was: the clock was set back since, as it is where a machine starts with a wrong one. */
  #since(time: number): number {
    const agoMs = this.#options.clock.now() - time
    return agoMs < 0 ? Infinity : agoMs
  }

  async #replace(): Promise<void> {
    const { clock, log, url } = this.#options
    this.#triedAt = clock.now()
    try {
      this.#find = createLocalJWKSet(await this.#fetch())
      this.#fetchedAt = clock.now()
    } catch (error) {
      log.warn('auth.key_set_failed', { url, error })
    }
  }

  async #fetch(): Promise<JSONWebKeySet> {
    const get = this.#options.fetch ?? fetch
    const response = await get(this.#options.url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!response.ok) throw new Error(`unable to fetch the key set; status ${response.status}`)
    const text = await textOf(response)
    return keySetSchema.parse(JSON.parse(text))
  }
}

async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_BYTES)
      throw new Error(`unable to read the key set; it is over ${MAX_BYTES} bytes`)
  }
  return text + decoder.decode()
}
