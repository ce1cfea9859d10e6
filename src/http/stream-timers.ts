import type { Clock, Timer } from '../core/clock.ts'

/** What a response that stays open does by the clock, until it ends. */
export class StreamTimers {
  readonly #clock: Clock
  readonly #timers = new Set<Timer>()
  #ended = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Again and again, `ms` milliseconds after the time before. */
  every(ms: number, task: () => void): void {
    this.#after(ms, () => {
      task()
      this.every(ms, task)
    })
  }

  /** Once, when it is that time, in milliseconds since 1970; `null`: never. */
  at(time: number | null, task: () => void): void {
    if (time !== null) this.#after(Math.max(0, time - this.#clock.now()), task)
  }

  /** Idempotent; nothing is done any more. */
  end(): void {
    this.#ended = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #after(ms: number, task: () => void): void {
    if (this.#ended) return
    const timer = this.#clock.after(ms, () => {
      this.#timers.delete(timer)
      task()
    })
    this.#timers.add(timer)
  }
}
