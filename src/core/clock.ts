/** Time as a port: the node's own monotonic-enough clock for timers and tokens, never for order. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Runs `task` once after `delayMs`; the timer does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer
  /** Runs `task` when what is due in this turn of the event loop has been taken in: the moment to send. */
  defer(task: () => void): void
}

export interface Timer {
  /** Idempotent; a timer that has run ignores it. */
  cancel(): void
}
