import type { Clock, Timer } from '../sdk/clock.ts'

/** Timers by name: one of each at a time, and none left behind. */
export class Timers<Name extends string> {
  readonly #clock: Clock
  readonly #timers = new Map<Name, Timer>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  has(name: Name): boolean {
    return this.#timers.has(name)
  }

  /** Takes the place of one of the same name. */
  start(name: Name, ms: number, run: () => void): void {
    this.cancel(name)
    const timer = this.#clock.after(ms, () => {
      this.#timers.delete(name)
      run()
    })
    this.#timers.set(name, timer)
  }

  cancel(name: Name): void {
    this.#timers.get(name)?.cancel()
    this.#timers.delete(name)
  }

  clear(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }
}
