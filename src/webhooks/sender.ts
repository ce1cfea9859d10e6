import { lookup as resolveName } from 'node:dns'
import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { Secret } from '../core/secret.ts'
import type { WebhookMessage, WebhookOutcome, WebhookSender } from '../core/webhook.ts'
import { isPublicAddress } from './addresses.ts'
import { signatures } from './signature.ts'

export interface SenderOptions {
  readonly url: string
  /** As `whsec_…`; each signs. */
  readonly secrets: readonly Secret[]
  /** Whether addresses that are not of the internet at large may be sent to. */
  readonly allowPrivate: boolean
  readonly clock: Pick<Clock, 'now'>
  /** For one try as a whole: the name's resolution, the connection, the answer's head. */
  readonly timeoutMs?: number
  /** In the place of the machine's resolver. */
  readonly resolve?: typeof resolveName
}

const TIMEOUT_MS = 10_000
/** What is read of an answer, so that its sender is not cut off; nobody looks at it. */
const MAX_ANSWER_BYTES = 16 * 1024
const GONE = 410

/** Sends to one URL, signed as in Standard Webhooks. It follows no redirect, and looks at nothing of an answer but its head. [P-15.2] */
export class HttpWebhookSender implements WebhookSender {
  readonly #options: SenderOptions
  readonly #url: URL

  constructor(options: SenderOptions) {
    this.#options = options
    this.#url = new URL(options.url)
  }

  send(message: WebhookMessage, signal: AbortSignal): Promise<WebhookOutcome> {
    const { allowPrivate, clock, timeoutMs = TIMEOUT_MS } = this.#options
    const host = this.#url.hostname.replace(/^\[|\]$/g, '')
    // A name's addresses are looked at when it is resolved; an address is never resolved.
    if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) {
      return Promise.resolve(failed(REFUSED))
    }
    const late = AbortSignal.timeout(timeoutMs)
    return new Promise((settle) => {
      const request = this.#request({
        method: 'POST',
        // A connection of its own: none that was checked for another name, or another time, is used again.
        agent: false,
        lookup: this.#lookup,
        signal: AbortSignal.any([signal, late]),
        headers: this.#headers(message),
      })
      request.on('error', (error) => settle(failed(late.aborted ? 'timeout' : wordOf(error))))
      request.on('response', (response) => {
        settle(outcomeOf(response, clock.now()))
        drain(response)
      })
      request.end(message.body)
    })
  }

  #request(options: RequestOptions): ReturnType<typeof requestHttp> {
    return this.#url.protocol === 'https:'
      ? requestHttps(this.#url, options)
      : requestHttp(this.#url, options)
  }

  #headers({ id, body }: WebhookMessage): Record<string, string | number> {
    const timestamp = Math.floor(this.#options.clock.now() / 1000)
    return {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'heldline',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures(this.#options.secrets, id, timestamp, body),
    }
  }

  /** Resolves once, and the connection goes to what was looked at here: a name that changes its mind in between gains nothing. */
  readonly #lookup: LookupFunction = (hostname, options, done) => {
    const { allowPrivate, resolve = resolveName } = this.#options
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, [])
      const refused = addresses.some(({ address }) => !allowPrivate && !isPublicAddress(address))
      const [first] = addresses
      if (refused || first === undefined) return done(new AddressRefused(), [])
      if (options.all === true) return done(null, addresses)
      done(null, first.address, first.family)
    })
  }
}

const REFUSED = 'address_refused'

class AddressRefused extends Error {
  readonly code = REFUSED
}

function outcomeOf({ statusCode = 0, headers }: IncomingMessage, now: number): WebhookOutcome {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'taken' }
  const reason = `status_${statusCode}`
  if (statusCode === GONE) return { kind: 'refused', reason }
  return failed(reason, retryAfterMs(headers['retry-after'], now))
}

function failed(reason: string, askedMs: number | null = null): WebhookOutcome {
  return { kind: 'failed', reason, retryAfterMs: askedMs }
}

/** Seconds, or a date. */
function retryAfterMs(text: string | undefined, now: number): number | null {
  if (text === undefined) return null
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}

function drain(response: IncomingMessage): void {
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) response.destroy()
  })
  // The outcome is known: what goes wrong from here on changes nothing.
  response.on('error', () => undefined)
}

/** What went wrong as one word: the code of the machine, nothing that somebody else could have written. */
function wordOf(error: Error): string {
  const code = 'code' in error ? String(error.code).toLowerCase() : ''
  return /^[a-z0-9_]{1,48}$/.test(code) ? code : 'failed'
}
