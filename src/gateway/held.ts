/** A socket of this node, whatever is spoken over it. */
export interface Held {
  /** The code that we ended it with; `null`: whoever ended it, it was not us. */
  readonly endedWith: number | null
  /** Its turn of the heartbeat. */
  beat(): void
  /** Tokens were taken back: ends it where its own is one of them. */
  endIfRevoked(): void
  /** This node goes down: the client is to be elsewhere in so many milliseconds. */
  leave(afterMs: number): void
  /** This node goes down now. */
  goDown(): void
  /** Ends it, without waiting for the other side. */
  terminate(): void
}

export const GOING_DOWN = 'this node goes down'
