import type { SessionId } from '../protocol/ids.ts'
import type { Signals, Subscription, Wake } from '../core/signals.ts'

/** Signals within one process: all that a store without other nodes needs. */
export class LocalSignals implements Signals {
  readonly #listeners = new Map<SessionId, Set<(wake: Wake) => void>>()

  subscribe(session: SessionId, listener: (wake: Wake) => void): Subscription {
    const listeners = this.#listeners.get(session) ?? new Set()
    this.#listeners.set(session, listeners)
    listeners.add(listener)
    return {
      close: () => {
        listeners.delete(listener)
        if (listeners.size === 0 && this.#listeners.get(session) === listeners) {
          this.#listeners.delete(session)
        }
      },
    }
  }

  send(session: SessionId, payload: string): void {
    this.wake(session, { kind: 'signal', payload })
  }

  /** Nothing is ever lost in one process, so nothing is restored. */
  onRestored(): Subscription {
    return { close: () => undefined }
  }

  /** Whether anybody listens: a commit need not describe itself to nobody. */
  hears(session: SessionId): boolean {
    return this.#listeners.has(session)
  }

  wake(session: SessionId, wake: Wake): void {
    for (const listener of this.#listeners.get(session) ?? []) listener(wake)
  }
}
