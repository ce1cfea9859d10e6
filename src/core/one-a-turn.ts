import type { SessionId } from '../protocol/ids.ts'
import type { Clock } from './clock.ts'

/**
 * Work on sessions that can wait a moment, begun for one of them a turn of the event loop. Agents that began together come to the same
 * point together: what is little for one would, for all of them at once, be what everybody else waits for.
 */
export class OneATurn<Reason> {
  readonly #clock: Pick<Clock, 'defer'>
  readonly #maxAtOnce: number
  readonly #work: (session: SessionId, reason: Reason) => Promise<void>
  /** In the order in which they came. */
  readonly #waiting = new Map<SessionId, Reason>()
  readonly #busy = new Set<SessionId>()
  #scheduled = false

  /** @param work handles what goes wrong with it; of one session it is not begun again before it has ended */
  constructor(
    clock: Pick<Clock, 'defer'>,
    maxAtOnce: number,
    work: (session: SessionId, reason: Reason) => Promise<void>,
  ) {
    this.#clock = clock
    this.#maxAtOnce = maxAtOnce
    this.#work = work
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size
  }

  /** Why a session waits; `undefined`: it does not. */
  get(session: SessionId): Reason | undefined {
    return this.#waiting.get(session)
  }

  /** A session that waits already keeps its place, for this reason. */
  set(session: SessionId, reason: Reason): void {
    this.#waiting.set(session, reason)
    this.#nextTurn()
  }

  delete(session: SessionId): void {
    this.#waiting.delete(session)
  }

  clear(): void {
    this.#waiting.clear()
  }

  #nextTurn(): void {
    if (this.#scheduled || this.#waiting.size === 0) return
    this.#scheduled = true
    this.#clock.defer(() => {
      this.#scheduled = false
      this.#next()
    })
  }

  #next(): void {
    if (this.#busy.size >= this.#maxAtOnce) return
    for (const [session, reason] of this.#waiting) {
      if (this.#busy.has(session)) continue
      this.#waiting.delete(session)
      void this.#begin(session, reason)
      return this.#nextTurn()
    }
  }

  async #begin(session: SessionId, reason: Reason): Promise<void> {
    this.#busy.add(session)
    try {
      await this.#work(session, reason)
    } finally {
      this.#busy.delete(session)
      this.#nextTurn()
    }
  }
}
