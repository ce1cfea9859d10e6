import type { Position } from '../protocol/position.ts'
import type { Clock, Timer } from './clock.ts'
import type { Batch } from './feed.ts'

const MAX_BATCHES = 8
const KEPT_MS = 1000

interface Kept {
  readonly batch: Batch
  readonly bytes: number
  /** Takes it out of where it is found. */
  readonly forget: () => void
}

/**
 * What all sessions of a node may keep together, by the size of the frames; beyond it, what was kept first goes. Ten thousand readers, each of another
 * session, would else leave a gigabyte behind that nobody comes for.
 */
export class RecentRoom {
  readonly #maxBytes: number
  /** In the order in which they came. */
  readonly #kept = new Set<Kept>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  add(kept: Kept): void {
    this.#kept.add(kept)
    this.#bytes += kept.bytes
    for (const oldest of this.#kept) {
      if (this.#bytes <= this.#maxBytes) break
      oldest.forget()
      this.remove(oldest)
    }
  }

  remove(kept: Kept): void {
    if (this.#kept.delete(kept)) this.#bytes -= kept.bytes
  }
}

/**
 * Batches that were read from the store a moment ago: those who come back together, each a little after the other, get one read and one
 * frame. A batch is found by the content that it follows, not by a number, so it is never given to a reader of another history.
 */
export class RecentBatches {
  readonly #clock: Clock
  readonly #room: RecentRoom
  readonly #kept = new Map<string, Kept>()
  #timer: Timer | null = null

  constructor(clock: Clock, room: RecentRoom) {
    this.#clock = clock
    this.#room = room
  }

  after(position: Position): Batch | null {
    const batch = this.#kept.get(keyOf(position))?.batch
    return batch?.reaches.epoch === position.epoch ? batch : null
  }

  keep(position: Position, batch: Batch): void {
    const key = keyOf(position)
    this.#drop(key)
    const forget = (): void => void this.#kept.delete(key)
    const kept: Kept = { batch, bytes: batch.frame.text.length, forget }
    this.#kept.set(key, kept)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_BATCHES) break
      this.#drop(oldest)
    }
    this.#room.add(kept)
    this.#timer ??= this.#clock.after(KEPT_MS, () => this.clear())
  }

  /** Forgets all: what was read may not be what the log holds any more. */
  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const key of this.#kept.keys()) this.#drop(key)
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#room.remove(kept)
  }
}

function keyOf(position: Position): string {
  return `${position.serial}.${position.tag}`
}
