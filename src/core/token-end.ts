import type { Clock, Timer } from './clock.ts'

const EXPIRING_BEFORE_MS = 60_000
const EXPIRED_GRACE_MS = 30_000

export interface TokenEndEvents {
  /** It ends soon: time to ask for the next. */
  expiring(expiresAt: number): void
  /** It has ended, and no other has come. */
  over(): void
}

/** Watches the end of a socket's token, by timers and by looks: a token ends by the wall clock, and that may be set forward under a timer. [P-6.4] */
export class TokenEnd {
  readonly #clock: Clock
  readonly #events: TokenEndEvents
  #next: { readonly at: number; readonly timer: Timer; readonly act: () => void } | null = null

  constructor(clock: Clock, events: TokenEndEvents) {
    this.#clock = clock
    this.#events = events
  }

  /** This one instead of the one before. @param expiresAt `null`: it has no end */
  watch(expiresAt: number | null): void {
    this.stop()
    if (expiresAt === null) return
    const now = this.#clock.now()
    const left = Math.max(0, expiresAt - now)
    // Told at once of a short one, a client would ask for the next, and of that be told at once.
    this.#at(now + Math.max(left - EXPIRING_BEFORE_MS, left / 2), () => {
      this.#at(expiresAt + EXPIRED_GRACE_MS, () => this.#events.over())
      this.#events.expiring(expiresAt)
    })
  }

  /** To be called every few seconds. */
  look(): void {
    if (this.#next !== null && this.#next.at <= this.#clock.now()) this.#next.act()
  }

  /** Idempotent. */
  stop(): void {
    this.#next?.timer.cancel()
    this.#next = null
  }

  #at(at: number, task: () => void): void {
    const act = (): void => {
      this.stop()
      task()
    }
    const timer = this.#clock.after(Math.max(0, at - this.#clock.now()), act)
    this.#next = { at, timer, act }
  }
}
