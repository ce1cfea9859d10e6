/** Time, as a client or an agent sees it: replaced in tests, and where a host has its own timers. */
export interface Clock {
  /** Milliseconds since 1970. Used to order and expire, never to number. */
  now(): number
  /** Runs once, `ms` milliseconds from now, unless cancelled. */
  after(ms: number, run: () => void): Timer
}

export interface Timer {
  /** Idempotent; harmless once it has run. */
  cancel(): void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const handle = setTimeout(run, ms)
    return { cancel: () => clearTimeout(handle) }
  },
}
