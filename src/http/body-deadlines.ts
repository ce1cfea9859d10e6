import type { Clock } from '../core/clock.ts'

/**
 * The bodies that are still coming, and when their time is over. One timer for all of them, and none while there are none:
 * most bodies come with their headers, and are to cost nothing here.
 */
export class BodyDeadlines {
  readonly #clock: Clock
  readonly #waitMs: number
  readonly #lookMs: number
  readonly #waiting = new Map<() => void, number>()
  #looking = false

  constructor(clock: Clock, waitMs: number, lookMs: number) {
    this.#clock = clock
    this.#waitMs = waitMs
    this.#lookMs = lookMs
  }

  /** Calls `late` once when the time is over, unless it was forgotten before. */
  watch(late: () => void): void {
    this.#waiting.set(late, this.#looking ? this.#clock.now() : 0)
    if (this.#looking) return
    // The first of a quiet time: its clock starts with the first look, which saves asking for the time.
    this.#looking = true
    this.#clock.after(this.#lookMs, () => this.#look())
  }

  forget(late: () => void): void {
    this.#waiting.delete(late)
  }

  #look(): void {
    const now = this.#clock.now()
    for (const [late, since] of this.#waiting) {
      if (since === 0) this.#waiting.set(late, now - this.#lookMs)
      else if (now - since < this.#waitMs) continue
      else {
        this.#waiting.delete(late)
        late()
      }
    }
    this.#looking = this.#waiting.size > 0
    if (this.#looking) this.#clock.after(this.#lookMs, () => this.#look())
  }
}
