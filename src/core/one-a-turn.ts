import type { SessionId } from '../protocol/ids.ts'
import type { Clock } from './clock.ts'

/**
 * Work on sessions that can wait a moment, one of them a turn of the event loop. Agents that began together come to the same point
 * together: what is little for one would, for all of them at once, be what everybody else waits for.
 */
export class OneATurn {
  readonly #clock: Pick<Clock, 'defer'>
  readonly #work: (session: SessionId) => void
  /** In the order in which they came. */
  readonly #waiting = new Set<SessionId>()

  /** @param work must not throw */
  constructor(clock: Pick<Clock, 'defer'>, work: (session: SessionId) => void) {
    this.#clock = clock
    this.#work = work
  }

  /** A session that waits already is worked on once. */
  add(session: SessionId): void {
    if (this.#waiting.has(session)) return
    this.#waiting.add(session)
    if (this.#waiting.size === 1) this.#nextTurn()
  }

  clear(): void {
    this.#waiting.clear()
  }

  #nextTurn(): void {
    this.#clock.defer(() => {
      const [session] = this.#waiting
      if (session === undefined) return
      this.#waiting.delete(session)
      if (this.#waiting.size > 0) this.#nextTurn()
      this.#work(session)
    })
  }
}
