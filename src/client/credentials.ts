import { ClientError } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'

/** A text, or what gets one: called when one is needed, never more than once at a time. */
export type Secret = string | (() => string | Promise<string>)

/** What opens a transport: at most one of the two. */
export interface Secrets {
  readonly token: string | null
  readonly ticket: string | null
}

const GET_MS = 20_000

/**
 * The token, kept in memory alone, and got again only when it is refused or about to end. A token that was given as a text
 * cannot be got again.
 */
export class Credentials {
  readonly #clock: Clock
  readonly #token: Secret | undefined
  readonly #ticket: Secret | undefined
  #kept: string | null = null
  #getting: Promise<string> | null = null

  constructor(clock: Clock, token: Secret | undefined, ticket: Secret | undefined) {
    this.#clock = clock
    this.#token = token
    this.#ticket = ticket
  }

  /** Whether asking again may give another one. */
  get renewable(): boolean {
    return typeof this.#token === 'function' || typeof this.#ticket === 'function'
  }

  /**
   * For a new transport. A ticket opens one socket once, so it is got for every socket.
   * @throws ClientError `timeout`, retryable; whatever the callback throws
   */
  async forTransport(takesTicket: boolean): Promise<Secrets> {
    if (takesTicket && this.#ticket !== undefined) {
      return { token: null, ticket: await this.#get(this.#ticket) }
    }
    return { token: await this.token(), ticket: null }
  }

  /** For a request. Throws as `forTransport` does. */
  async token(): Promise<string | null> {
    if (this.#token === undefined) return null
    if (this.#kept !== null) return this.#kept
    this.#getting ??= this.#get(this.#token).finally(() => (this.#getting = null))
    return (this.#kept = await this.#getting)
  }

  /** The token was refused, or ends: the next one asked for is a new one. */
  forget(): void {
    this.#kept = null
  }

  /** A callback that never answers is one that fails: nothing may wait for ever. */
  #get(secret: Secret): Promise<string> {
    if (typeof secret === 'string') return Promise.resolve(secret)
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(GET_MS, () => {
        const message = 'the token callback took too long'
        reject(new ClientError('timeout', message, { retryable: true }))
      })
      Promise.resolve()
        .then(secret)
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
  }
}
