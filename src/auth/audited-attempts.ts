import type { Attempts, Grant } from '../core/access.ts'
import type { Audit } from '../core/audit.ts'
import type { Clock } from '../core/clock.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { networkOf } from './network.ts'
import { refusalReason } from './refusal.ts'

const WINDOW_MS = 10_000
/** Lines in a window, whatever comes from how many addresses. */
const MAX_LINES = 100

/**
 * Writes down which credentials were refused, and why: one line in ten seconds for what repeats (the same reason, from the same network), and a hundred
 * for all together. What was left out is counted: in the next line of its kind as `repeated`, and beyond the hundred in the first line of the next window as `leftOut`.
 */
export class AuditedAttempts implements Attempts {
  readonly #attempts: Attempts
  readonly #audit: Audit
  readonly #clock: Clock
  #until = 0
  /** Of this window, and how often each came again. */
  #lines = new Map<string, number>()
  /** The counts of the window before that nobody has told. */
  #before = new Map<string, number>()
  #leftOut = 0

  constructor(attempts: Attempts, audit: Audit, clock: Clock) {
    this.#attempts = attempts
    this.#audit = audit
    this.#clock = clock
  }

  async attempt(address: string, authenticate: () => Promise<Grant>): Promise<Grant> {
    try {
      return await this.#attempts.attempt(address, authenticate)
    } catch (error) {
      const reason = refusalReason(error)
      if (reason !== null) this.#note(address, reason, error)
      else if (error instanceof HeldlineError && error.code === 'rate_limited')
        this.#note(address, 'blocked', error)
      throw error
    }
  }

  #note(address: string, reason: string, error: unknown): void {
    this.#turn()
    const key = `${reason} ${networkOf(address)}`
    const known = this.#lines.get(key)
    if (known !== undefined) {
      this.#lines.set(key, known + 1)
      return
    }
    if (this.#lines.size >= MAX_LINES) {
      this.#leftOut++
      return
    }
    this.#lines.set(key, 0)
    const repeated = this.#before.get(key) ?? 0
    const leftOut = this.#leftOut
    this.#leftOut = 0
    this.#audit.record({
      act: 'auth.refuse',
      by: null,
      outcome: reason === 'blocked' ? 'blocked' : 'refused',
      address,
      ...(error instanceof HeldlineError && { code: error.code }),
      about: {
        ...(reason !== 'blocked' && { reason }),
        ...(repeated > 0 && { repeated }),
        ...(leftOut > 0 && { leftOut }),
      },
    })
  }

  #turn(): void {
    const now = this.#clock.now()
    // One that ends later than any that begins now is of a clock that was set back since: it is over.
    if (now < this.#until && this.#until <= now + WINDOW_MS) return
    // A window that nobody looked at for long says nothing of now.
    this.#before = now < this.#until + WINDOW_MS ? this.#lines : new Map()
    this.#lines = new Map()
    this.#until = now + WINDOW_MS
  }
}
