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

/**
 * What happens to honest clients: a laptop that wakes up, a page that connects again with the same address, everybody when the secret of tokens is replaced. Not
 * guesses.
 */
const HONEST: ReadonlySet<RefusalReason> = new Set([
  'expired',
  'revoked',
  'signature',
  'retired_key',
  'ticket',
  'origin',
])

/**
 * Slows down who guesses: after so many failures in a minute, more of them from that address are told to wait until the minute is over. What is good is let in
 * all the same: behind one address there may be a whole office, or everybody where nobody has named the proxy, and one of them must not shut out the others. [P-6.7]
 */
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
   * @throws HeldlineError `rate_limited` for a failure that is one too many; else what the attempt throws
   */
  async attempt(address: string, authenticate: () => Promise<Grant>): Promise<Grant> {
    try {
      return await authenticate()
    } catch (cause) {
      const reason = refusalReason(cause)
      if (reason === null || HONEST.has(reason)) throw cause
      const key = networkOf(address)
      const retryAfterMs = this.#waitOf(key)
      if (retryAfterMs === 0) {
        this.#count(key)
        throw cause
      }
      const detail = 'unable to authenticate; too many failures from this address'
      throw new HeldlineError('rate_limited', detail, { retryAfterMs, cause })
    }
  }

  /** In ms; 0: it has failures left. */
  #waitOf(key: string): number {
    const window = this.#windows.get(key)
    if (window === undefined || window.failures < this.#maxFailures) return 0
    // Never longer than a window, which the clock may have been set back in.
    return Math.min(this.#windowMs, Math.max(0, window.until - this.#clock.now()))
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
