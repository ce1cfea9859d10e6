import type { Epoch } from '../protocol/ids.ts'
import type { Position } from '../protocol/position.ts'
import type { StoredEvent } from './store.ts'

/**
 * The latest events of one session as this node has seen them: an unbroken chain that ends at `head`, bounded in bytes. It only ever takes
 * the event that follows; what it does not hold, the store does.
 */
export class Tail {
  #head: Position
  /** Events `#events[#start …]`; the slots before are free. */
  #events: StoredEvent[] = []
  #start = 0
  #bytes = 0
  readonly #maxBytes: () => number

  constructor(head: Position, maxBytes: () => number) {
    this.#head = head
    this.#maxBytes = maxBytes
  }

  get head(): Position {
    return this.#head
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes those of the events that follow the head; the ones at or below it are known already.
   * @returns `gap` when there is one that does not follow: then the rest is not taken
   */
  take(epoch: Epoch, events: readonly StoredEvent[]): 'taken' | 'nothing' | 'gap' {
    if (epoch !== this.#head.epoch) return 'gap'
    let taken: 'taken' | 'nothing' = 'nothing'
    for (const event of events) {
      if (event.serial <= this.#head.serial) continue
      if (event.serial !== this.#head.serial + 1 || event.prev !== this.#head.tag) return 'gap'
      this.#head = { epoch, serial: event.serial, tag: event.tag }
      this.#events.push(event)
      this.#bytes += event.text.length
      taken = 'taken'
    }
    this.#drop()
    return taken
  }

  /** Starts anew at a head: the log is another one, or too far ahead. */
  restart(head: Position): void {
    this.#head = head
    this.#events = []
    this.#start = 0
    this.#bytes = 0
  }

  /** The events after a position, or `null` when it is not in this chain, or its successor is not held any more. */
  after(position: Position, limit: number, maxBytes: number): readonly StoredEvent[] | null {
    if (position.epoch !== this.#head.epoch) return null
    const first = this.#events[this.#start]
    if (
      first === undefined ||
      position.serial < first.serial - 1 ||
      position.serial >= this.#head.serial
    ) {
      return null
    }
    const from = this.#start + (position.serial + 1 - first.serial)
    if (this.#events[from]?.prev !== position.tag) return null
    let bytes = 0
    let to = from
    while (to < this.#events.length && to - from < limit) {
      bytes += this.#events[to]?.text.length ?? 0
      if (to > from && bytes > maxBytes) break
      to++
    }
    return this.#events.slice(from, to)
  }

  #drop(): void {
    const maxBytes = this.#maxBytes()
    while (this.#bytes > maxBytes && this.#start < this.#events.length) {
      this.#bytes -= this.#events[this.#start]?.text.length ?? 0
      this.#start++
    }
    // Free slots are given back when they are the larger part, so that taking stays cheap.
    if (this.#start > 64 && this.#start * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#start)
      this.#start = 0
    }
  }
}
