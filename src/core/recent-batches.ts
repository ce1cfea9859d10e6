import type { Position } from '../protocol/position.ts'
import type { Clock, Timer } from './clock.ts'
import type { Batch } from './feed.ts'

const MAX_BATCHES = 8
const KEPT_MS = 1000

/**
 * Batches that were read from the store a moment ago: those who come back together, each a little after the other, get one read and one
 * frame. A batch is found by the content that it follows, not by a number, so it is never given to a reader of another history.
 */
export class RecentBatches {
  readonly #clock: Clock
  readonly #batches = new Map<string, Batch>()
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  after(position: Position): Batch | null {
    const batch = this.#batches.get(keyOf(position))
    return batch?.reaches.epoch === position.epoch ? batch : null
  }

  keep(position: Position, batch: Batch): void {
    this.#batches.set(keyOf(position), batch)
    for (const oldest of this.#batches.keys()) {
      if (this.#batches.size <= MAX_BATCHES) break
      this.#batches.delete(oldest)
    }
    this.#timer ??= this.#clock.after(KEPT_MS, () => this.clear())
  }

  /** Forgets all: what was read may not be what the log holds any more. */
  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#batches.clear()
  }
}

function keyOf(position: Position): string {
  return `${position.serial}.${position.tag}`
}
