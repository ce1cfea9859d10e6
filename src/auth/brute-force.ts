import type { Grant } from '../core/access.ts'
import type { Clock } from '../core/clock.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { networkOf } from './network.ts'
import { refusalReason, type RefusalReason } from './refusal.ts'

export interface BruteForceOptions {
  readonly maxFailures?: number
  readonly windowMs?: number
  /** How many addresses are remembered; beyond it, the one that failed first is forgotten. */
  readonly maxAddresses?: number
}

interface Window {
  failures: number
  readonly until: number
}

/** What happens to honest clients: a laptop that wakes up, a page that connects again with the same address. Not guesses. */
const HONEST: ReadonlySet<RefusalReason> = new Set(['expired', 'revoked', 'ticket', 'origin'])

/** Slows down who guesses: after so many failures in a minute, an address waits until the minute is over. */
export class BruteForce {
  readonly #clock: Clock
  readonly #maxFailures: number
  readonly #windowMs: number
  readonly #maxAddresses: number
  /** By when their windows began. */
  readonly #windows = new Map<string, Window>()

  constructor(clock: Clock, options: BruteForceOptions = {}) {
    this.#clock = clock
    this.#maxFailures = options.maxFailures ?? 10
    this.#windowMs = options.windowMs ?? 60_000
    this.#maxAddresses = options.maxAddresses ?? 10_000
  }

  /**
   * Runs an attempt to authenticate from an address, and counts its failure.
   * @throws HeldlineError `rate_limited` without running it; else what the attempt throws
   */
  async attempt(address: string, authenticate: () => Promise<Grant>): Promise<Grant> {
    const key = networkOf(address)
    this.#check(key)
    try {
      return await authenticate()
    } catch (error) {
      const reason = refusalReason(error)
      if (reason !== null && !HONEST.has(reason)) this.#count(key)
      throw error
    }
  }

  #check(key: string): void {
    const window = this.#windows.get(key)
    const leftMs = window === undefined ? 0 : window.until - this.#clock.now()
    if (window === undefined || leftMs <= 0 || window.failures < this.#maxFailures) return
    throw new HeldlineError(
      'rate_limited',
      'unable to authenticate; too many failures from this address',
      {
        retryAfterMs: leftMs,
      },
    )
  }

  #count(key: string): void {
    const now = this.#clock.now()
    const window = this.#windows.get(key)
    if (window !== undefined && window.until > now) {
      window.failures++
      return
    }
    this.#windows.delete(key)
    this.#windows.set(key, { failures: 1, until: now + this.#windowMs })
    for (const [oldest, { until }] of this.#windows) {
      if (until > now && this.#windows.size <= this.#maxAddresses) return
      this.#windows.delete(oldest)
    }
  }
}
