/** For how long somebody who is refused may go on at the double of the rate, or more: in so many seconds' worth. */
const ABUSE_SECONDS = 10

/**
 * A token bucket: `perSecond` on average, `burst` at once. What is refused costs nothing of it: who is a little too fast all the while has the
 * rate all the same, as one must who does not know what it is.
 */
export class Rate {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
  /** What was refused, less what may be forgiven since. */
  #refused = 0
  #at: number

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#tokens = burst
    this.#at = now
  }

  /** Takes one. @returns 0 when it was there, else in how many milliseconds the next one will be */
  take(now: number): number {
    const gained = (Math.max(0, now - this.#at) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#refused = Math.max(0, this.#refused - gained)
    this.#at = now
    if (this.#tokens >= 1) {
      this.#tokens -= 1
      return 0
    }
    this.#refused += 1
    return Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000)
  }

  /** Whether the caller went on, in spite of being refused, for ten seconds' worth more than is forgiven. */
  get abused(): boolean {
    return this.#refused > ABUSE_SECONDS * this.#perSecond
  }
}
