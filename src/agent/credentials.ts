import { AgentError } from './agent-error.ts'
import type { Clock } from '../sdk/clock.ts'

/** A text, or what gets one: called when one is needed, never more than once at a time. */
export type Secret = string | (() => string | Promise<string>)

const GET_MS = 20_000

/** The key or token, kept in memory alone, and got again only when it is refused. One that was given as a text cannot be got again. */
export class Credentials {
  readonly #clock: Clock
  readonly #secret: Secret
  #kept: string | null = null
  /** It has worked before. */
  #known = false
  #getting: Promise<string> | null = null

  constructor(clock: Clock, secret: Secret) {
    this.#clock = clock
    this.#secret = secret
  }

  /** Whether asking again may give another one. */
  get renewable(): boolean {
    return typeof this.#secret === 'function'
  }

  /** @throws AgentError `timeout`, retryable; whatever the callback throws; where it gave one before, `token_failed` in its place, retryable */
  async get(): Promise<string> {
    if (typeof this.#secret === 'string') return this.#secret
    if (this.#kept !== null) return this.#kept
    this.#getting ??= this.#ask(this.#secret).finally(() => (this.#getting = null))
    const secret = await this.#getting.catch((error: unknown) => this.#failed(error))
    this.#kept = secret
    this.#known = true
    return secret
  }

  /** What was given was refused: the next one asked for is a new one. */
  forget(): void {
    this.#kept = null
  }

  /** Whoever gives tokens may be away for a moment, which no run is to end with; one that never gave any is set up wrong. */
  #failed(cause: unknown): never {
    if (!this.#known || cause instanceof AgentError) throw cause
    const message = 'unable to get a token; the callback failed'
    throw new AgentError('token_failed', message, { retryable: true, cause })
  }

  /** A callback that never answers is one that fails: nothing may wait for ever. */
  #ask(ask: () => string | Promise<string>): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(GET_MS, () => {
        const message = 'unable to get a token; the callback took too long'
        reject(new AgentError('timeout', message, { retryable: true }))
      })
      Promise.resolve()
        .then(ask)
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
  }
}
