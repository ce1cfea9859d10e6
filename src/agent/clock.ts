/** Time, as the agent sees it: replaced in tests. */
export interface Clock {
  /** Milliseconds since 1970. */
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

/** Resolves after so long, or at once when the signal fires. Never rejects. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve()
      return
    }
    const done = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(ms, done)
    signal?.addEventListener('abort', done)
  })
}
