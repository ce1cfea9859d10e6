import type { Epoch, SessionId } from '../protocol/ids.ts'
import type { StoredEvent } from './store.ts'

/**
 * The signal port: wake-ups and ephemeral fan-out between nodes. A hint that may be lost, repeated, late or out of order; nothing
 * depends on it but speed. A store and its signals are opened together: a commit wakes the subscribers of its session.
 */
export interface Signals {
  /** `listener` is called for every wake-up of the session until the subscription is closed. Starts listening at once, perhaps not yet heard everywhere. */
  subscribe(session: SessionId, listener: (wake: Wake) => void): Subscription
  /** Tells all subscribers of the session on all nodes, this one included. At most 16 KiB; best effort, never throws. */
  send(session: SessionId, payload: string): void
  /** `listener` is called after the connection to other nodes was lost and is back: wake-ups may have been missed; verify all heads. */
  onRestored(listener: () => void): Subscription
}

export type Wake =
  | {
      readonly kind: 'committed'
      readonly epoch: Epoch
      readonly first: number
      readonly last: number
      /** All of first..last, or nothing: a mere hint. */
      readonly events: readonly StoredEvent[]
    }
  | { readonly kind: 'removed' }
  | { readonly kind: 'signal'; readonly payload: string }

export interface Subscription {
  /** Idempotent. */
  close(): void
}
