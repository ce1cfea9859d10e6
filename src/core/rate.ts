/** A token bucket: `perSecond` on average, `burst` at once. */
export class Rate {
  readonly #perSecond: number
  readonly #burst: number
  #tokens: number
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
    this.#tokens = Math.min(this.#burst, this.#tokens + gained) - 1
    this.#at = now
    return this.#tokens >= 0 ? 0 : Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000)
  }

  /** Whether the caller went on for ten seconds' worth in spite of being refused. */
  get abused(): boolean {
    return this.#tokens < -10 * this.#perSecond
  }
}
