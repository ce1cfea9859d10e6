/**
 * Whether a client is still there: one that has not answered the last ping is gone, unless it is still taking what was sent before, since then the
 * ping is behind that.
 */
export class Pulse {
  /** Whether anything was heard since the last ping. */
  #heard = true
  /** What waited at the last heartbeat. */
  #buffered = 0

  heard(): void {
    this.#heard = true
  }

  /** @param buffered the bytes that wait in the socket now @returns whether the client is there; then it is to be pinged */
  beat(buffered: number): boolean {
    const there = this.#heard || buffered < this.#buffered
    this.#buffered = buffered
    this.#heard = false
    return there
  }
}
