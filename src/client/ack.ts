import type { DownFrameOf } from '../protocol/frames-down.ts'

/** It is in the log. */
export interface Ack {
  /** The incarnation of the log; another one after it was lost or made anew. */
  readonly epoch: string
  /** The serials of the first and the last event. */
  readonly first: number
  readonly last: number
  /** One serial an event, in order, where they are not `first..last`; `null` where it is too old to be known. */
  readonly serials?: readonly (number | null)[] | undefined
  /** How many of the events were there already: an earlier attempt had arrived. */
  readonly duplicates: number
  /** What the store promises; `unknown` where the log itself is the proof. */
  readonly durability: 'memory' | 'async' | 'fsync' | 'replicated' | 'unknown'
}

export function ackOf({
  type: _type,
  ref: _ref,
  session: _session,
  ...ack
}: DownFrameOf<'ack'>): Ack {
  return ack
}
