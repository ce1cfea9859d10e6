import type { Member, WireEvent } from '../protocol/event.ts'
import type { Input, Question } from '../protocol/fold/fold-input.ts'
import type { OpenDelivery, OpenEffect, StateEntry } from '../protocol/fold/fold-record.ts'
import type { Run } from '../protocol/fold/fold-run.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import type { Controller } from '../protocol/record-events.ts'
import type { ClientError } from './client-error.ts'
import type { ClientMessage } from './pending.ts'
import type { Reset } from './reader.ts'

/**
 * `idle`: not used yet. `attaching`: no view yet. `live`: there is a view, and it follows the log whenever the client is live.
 * `failed`: the attach was refused; `attach()` tries again (or, where the client was closed before there was a view, says so). `detached`.
 */
export type SessionState = 'idle' | 'attaching' | 'live' | 'failed' | 'detached'

export interface SessionOptions {
  /**
   * To be seen by others from the first attach on; `true`: as this tab, with nothing more to say. Without a WebSocket it is said
   * again every 20 s and expires 60 s after the last time; that the connection was lost is then not told before.
   */
  readonly presence?: boolean | PresenceRequest
  /**
   * After a long absence: `auto` (the default) brings the messages that changed; `events` every event, so that `on('event')`
   * misses none.
   */
  readonly catchup?: 'auto' | 'events'
  /** What `events()` begins with where it is not told: see there. */
  readonly cursor?: Cursor
}

/** A position or a serial to read after; `tab`: after what this tab has read before, reloads included. */
export type Cursor = 'tab' | (string & {}) | number

/** An ephemeral message of somebody who is attached. */
export interface Signal {
  readonly name: string
  readonly by: { readonly subject: string; readonly member?: string }
  readonly data?: unknown
}

export interface SessionEvents {
  /** Something of the snapshot has changed; at most once a frame. */
  readonly change: SessionSnapshot
  /** An event was taken. Those that came folded, in a snapshot, are not told: `events()` has every one. */
  readonly event: WireEvent
  /** The server could not go on from where we were; the view has been replaced. */
  readonly reset: Reset
  readonly signal: Signal
  readonly state: SessionState
  /** What went wrong with nobody waiting for it. */
  readonly error: ClientError
}

/** All that a screen needs, immutable; the same object until something changes. */
export interface SessionSnapshot {
  readonly state: SessionState
  readonly messages: readonly ClientMessage[]
  readonly members: readonly Member[]
  /** Those that live, and those that ended last, in the order in which they were started. */
  readonly runs: readonly Run[]
  /** What was sent to agents and waits for one. */
  readonly inputs: readonly Input[]
  /** What agents ask: the open ones, and those that were closed last. */
  readonly questions: readonly Question[]
  /** What the session shares, by key; `state` is the attachment's. */
  readonly sharedState: ReadonlyMap<string, StateEntry>
  /** Side effects of agents that are not known to be done. */
  readonly effects: readonly OpenEffect[]
  /** Results that their person has not taken yet. */
  readonly deliveries: readonly OpenDelivery[]
  /** Who speaks in the agents' place; `null`: they do themselves. */
  readonly controller: Controller | null
  readonly metadata: Readonly<Record<string, unknown>>
  /** The message that was started last: the parent of one that names none. */
  readonly tip: string | null
  /** Milliseconds since 1970; `null`: not known yet. */
  readonly createdAt: number | null
  /** Milliseconds since 1970; `null`: open, or not known yet. */
  readonly closedAt: number | null
  /** Where the view stands, to be given back unchanged; `null` before the first snapshot. */
  readonly position: string | null
}
