import { decodeHead } from '../protocol/codec.ts'
import type { Epoch } from '../protocol/ids.ts'
import type { Position } from '../protocol/position.ts'
import { HeldTexts } from './held-texts.ts'
import type { StoredEvent } from './store.ts'

/**
 * The latest events of one session as this node has seen them: an unbroken chain that ends at `head`, bounded in bytes. It only ever takes
 * the event that follows; what it does not hold, the store does.
 */
export class Tail {
  #head: Position
  /** The last of what is held, as it came, for those who stand at the head: until `rest`. */
  #fresh: StoredEvent[] = []
  /** All of it. */
  readonly #held = new HeldTexts()
  readonly #maxBytes: () => number

  constructor(head: Position, maxBytes: () => number) {
    this.#head = head
    this.#maxBytes = maxBytes
  }

  get head(): Position {
    return this.#head
  }

  get bytes(): number {
    return this.#held.bytes
  }

  /**
   * Takes those of the events that follow the head; the ones at or below it are known already.
   * @returns `gap` when there is one that does not follow: then the rest is not taken
   */
  take(epoch: Epoch, events: readonly StoredEvent[]): 'taken' | 'nothing' | 'gap' {
    if (epoch !== this.#head.epoch) return 'gap'
    const maxBytes = this.#maxBytes()
    let taken: 'taken' | 'nothing' = 'nothing'
    for (const event of events) {
      if (event.serial <= this.#head.serial) continue
      if (event.serial !== this.#head.serial + 1 || event.prev !== this.#head.tag) return 'gap'
      this.#head = { epoch, serial: event.serial, tag: event.tag }
      this.#fresh.push(event)
      this.#held.push(event.text, maxBytes)
      taken = 'taken'
    }
    // What is not held is the store's, however fresh.
    if (this.#held.size < this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#fresh.length - this.#held.size)
    }
    return taken
  }

  /** Those who stand at the head have what has come. */
  rest(): void {
    this.#fresh = []
    this.#held.keepTo(this.#maxBytes())
  }

  /** Starts anew at a head: the log is another one, or too far ahead. */
  restart(head: Position): void {
    this.#head = head
    this.#fresh = []
    this.#held.clear()
  }

  /** The events after a position, or `null` when it is not in this chain, or its successor is not held any more. */
  after(position: Position, limit: number, maxBytes: number): readonly StoredEvent[] | null {
    const { epoch, serial } = this.#head
    if (position.epoch !== epoch || position.serial >= serial) return null
    const from = this.#fresh.length - (serial - position.serial)
    const events =
      from >= 0
        ? within(this.#fresh, from, limit, maxBytes)
        : this.#read(position.serial, limit, maxBytes)
    return events?.[0]?.prev === position.tag ? events : null
  }

  #read(after: number, limit: number, maxBytes: number): StoredEvent[] | null {
    const from = this.#held.size - (this.#head.serial - after)
    if (from < 0) return null
    const events: StoredEvent[] = []
    for (const text of this.#held.slice(from, limit, maxBytes)) {
      const head = decodeHead(text)
      if (head === null) return null
      events.push({ ...head, text })
    }
    return events
  }
}

function within(
  events: readonly StoredEvent[],
  from: number,
  limit: number,
  maxBytes: number,
): readonly StoredEvent[] {
  let bytes = 0
  let to = from
  while (to < events.length && to - from < limit) {
    bytes += events[to]?.text.length ?? 0
    if (to > from && bytes > maxBytes) break
    to++
  }
  return events.slice(from, to)
}
