import { backoffMs } from './backoff.ts'
import type { Clock } from '../sdk/clock.ts'

/** An overloaded server is not asked again at once. */
const OVERLOADED: ReadonlySet<number> = new Set([1013, 4429, 4509])
const OVERLOADED_ATTEMPT = 4

/** When to connect again: the backoff, and what the server has asked for. */
export class Attempts {
  readonly #clock: Clock
  readonly #random: () => number
  #failed = 0
  #notBefore = 0

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  /** Whether the server lets us come now. */
  get allowed(): boolean {
    return this.#clock.now() >= this.#notBefore
  }

  /** How long to wait before the next one, which is counted by this. */
  nextMs(): number {
    const backoff = backoffMs(this.#failed++, this.#random)
    return Math.max(backoff, this.#notBefore - this.#clock.now())
  }

  /** One is made without waiting: the next one waits. */
  atOnce(): void {
    this.#failed = Math.max(1, this.#failed)
  }

  holdOff(ms: number): void {
    this.#notBefore = Math.max(this.#notBefore, this.#clock.now() + ms)
  }

  /** A connection ended with this code. */
  closed(code: number): void {
    if (OVERLOADED.has(code)) this.#failed = Math.max(this.#failed, OVERLOADED_ATTEMPT)
  }

  reset(): void {
    this.#failed = 0
  }
}
