import type { Clock, Timer } from '../../../src/sdk/clock.ts'

interface Waiting {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** Time that passes when it is told to. What is due runs in order, and promises settle in between. */
export class FakeClock implements Clock {
  #now = 1_790_000_000_000
  /** How far the wall clock has been set apart from the time that timers go by. */
  #setBy = 0
  #order = 0
  readonly #waiting = new Set<Waiting>()

  now(): number {
    return this.#now + this.#setBy
  }

  /** Sets the wall clock forward or back: timers go on by the time that is left to them. */
  set(byMs: number): void {
    this.#setBy += byMs
  }

  after(ms: number, run: () => void): Timer {
    const waiting = { at: this.#now + Math.max(0, ms), order: this.#order++, run }
    this.#waiting.add(waiting)
    return { cancel: () => void this.#waiting.delete(waiting) }
  }

  /** Timers that are set and have not run. */
  get pending(): number {
    return this.#waiting.size
  }

  /** Timers run only at whole multiples of it, as in a tab that nobody looks at; 0: when they are due. */
  throttleMs = 0

  /** The machine sleeps: time passes, and nothing runs. What became due runs when it goes on. */
  sleep(ms: number): void {
    this.#now += ms
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await settle()
    for (let due = this.#next(until); due !== null; due = this.#next(until)) {
      this.#waiting.delete(due)
      this.#now = Math.max(this.#now, this.#dueAt(due))
      due.run()
      await settle()
    }
    this.#now = until
  }

  #dueAt({ at }: Waiting): number {
    return this.throttleMs === 0 ? at : Math.ceil(at / this.throttleMs) * this.throttleMs
  }

  #next(until: number): Waiting | null {
    let next: Waiting | null = null
    for (const waiting of this.#waiting) {
      if (this.#dueAt(waiting) > until) continue
      const sooner = next === null || waiting.at < next.at
      if (sooner || (waiting.at === next?.at && waiting.order < next.order)) next = waiting
    }
    return next
  }
}

/** Lets everything happen that needs no time: promises, streams, immediates. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}
