import type { Clock } from './clock.ts'
import type { Log } from './log.ts'
import type { DueDeadline, Store } from './store.ts'

export interface SweeperPorts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  /** By the deadline's name up to the first colon. */
  readonly handlers: ReadonlyMap<string, (due: DueDeadline) => Promise<void>>
}

const LOOK_EVERY_MS = 1000
const DUE_A_ROUND = 200
const MAX_ROUNDS = 50
const AGAIN_AFTER_MS = 5000
/** With random length, so that nodes do not look together. */
const JITTER = 0.2

/**
 * Fires deadlines. Any node may: each handler's commit is guarded by the deadline as it was seen, so it happens once. A
 * handler that fails has its deadline put off a little, so that those which always fail don't keep the others from their turn.
 */
export class Sweeper {
  readonly #ports: SweeperPorts
  readonly #fraction: () => number
  #timer: { cancel(): void } | null = null
  #closed = false

  constructor(ports: SweeperPorts, fraction: () => number) {
    this.#ports = ports
    this.#fraction = fraction
    this.#schedule()
  }

  /** One look. Never throws. @returns how many deadlines were due */
  async sweep(): Promise<number> {
    try {
      const due = await this.#ports.store.due(DUE_A_ROUND)
      await Promise.all(due.map((one) => this.#fire(one)))
      return due.length
    } catch (error) {
      this.#ports.log.warn('sweeper.failed', { error })
      return 0
    }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #fire(due: DueDeadline): Promise<void> {
    const handler = this.#ports.handlers.get(due.deadline.split(':', 1)[0] ?? '')
    const { log } = this.#ports
    try {
      if (handler !== undefined) return await handler(due)
      log.error('sweeper.unknown_deadline', { deadline: due.deadline })
      await this.#move(due, null)
    } catch (error) {
      log.warn('sweeper.handler_failed', { deadline: due.deadline, error })
      // Where not even that can be done, it is due as before.
      await this.#move(due, AGAIN_AFTER_MS).catch(() => undefined)
    }
  }

  async #move({ session, deadline, at }: DueDeadline, inMs: number | null): Promise<void> {
    const guards = [{ deadline, at }]
    await this.#ports.store.commit({ session, guards, deadlines: [{ deadline, inMs }] })
  }

  /** A full page means that more is due: look again at once, a bounded number of times. */
  async #sweepAll(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS && !this.#closed; round++) {
      if ((await this.sweep()) < DUE_A_ROUND) return
    }
  }

  #schedule(): void {
    if (this.#closed) return
    const delayMs = LOOK_EVERY_MS * (1 - JITTER + 2 * JITTER * this.#fraction())
    this.#timer = this.#ports.clock.after(delayMs, () => {
      void this.#sweepAll().finally(() => this.#schedule())
    })
  }
}
