import type { SessionId } from '../protocol/ids.ts'
import { samePosition, type Position } from '../protocol/position.ts'
import { Cursor, type Sink, type Source } from './cursor.ts'
import type { Clock } from './clock.ts'
import { eventsFrame, type Frame } from './frame.ts'
import { headPosition, judge } from './judge.ts'
import type { Limits } from './limits.ts'
import type { Places } from './places.ts'
import { RecentBatches, type RecentRoom } from './recent-batches.ts'
import type { Wake } from './signals.ts'
import type { LogHead, Page, Store, StoredEvent } from './store.ts'
import { Tail } from './tail.ts'

/** Neighbouring events, encoded once for everybody who gets them. */
export interface Batch {
  readonly events: readonly StoredEvent[]
  readonly frame: Frame
  readonly reaches: Position
}

export interface FeedPorts {
  readonly store: Store
  readonly clock: Clock
  readonly limits: Limits
  readonly tailBytes: () => number
  /** Where readers who catch up wait for each other; what keeps the feed itself at the head waits for nobody. */
  readonly arrivals: Pick<Places, 'run'>
  readonly recentRoom: RecentRoom
  /** The feed could not read the store; it looks again with the next wake-up or verification. */
  readonly failed: (session: SessionId, error: unknown) => void
}

/**
 * One session on this node, while somebody here follows it: the tail that wake-ups and reads extend, and the cursors that look at it. A wake-up only
 * means "look again"; the events that it may carry are taken when they follow, and read from the store when they do not.
 */
export class Feed implements Source {
  readonly session: SessionId
  readonly #ports: FeedPorts
  readonly #tail: Tail
  readonly #cursors = new Set<Cursor>()
  readonly #signalled = new Set<(payload: string) => void>()
  /** Batches made since the tail last grew, by the position that they follow. */
  #batches = new Map<string, Batch>()
  /** The one of them that was given last: most readers stand at one position, which is then one object. */
  #given: { readonly after: Position; readonly batch: Batch } | null = null
  #pages = new Map<number, Promise<Page | null>>()
  readonly #pageBatches = new WeakMap<Page, Batch>()
  readonly #recent: RecentBatches
  #flushing = false
  #closed = false
  /** A read is under way; `again`: something happened that it may have missed. */
  #pulling: 'no' | 'yes' | 'again' = 'no'

  constructor(session: SessionId, head: LogHead, ports: FeedPorts) {
    this.session = session
    this.#ports = ports
    this.#tail = new Tail(headPosition(head), ports.tailBytes)
    this.#recent = new RecentBatches(ports.clock, ports.recentRoom)
  }

  get head(): Position {
    return this.#tail.head
  }

  get size(): number {
    return this.#cursors.size
  }

  open(sink: Sink, position: Position): Cursor {
    const cursor = new Cursor(this, sink, position)
    this.#cursors.add(cursor)
    return cursor
  }

  drop(cursor: Cursor): void {
    cursor.close()
    this.#cursors.delete(cursor)
  }

  onSignal(listener: (payload: string) => void): () => void {
    this.#signalled.add(listener)
    return () => this.#signalled.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#recent.clear()
    for (const cursor of this.#cursors) cursor.close()
    this.#cursors.clear()
    this.#signalled.clear()
  }

  wake(wake: Wake): void {
    if (wake.kind === 'signal') {
      for (const listener of this.#signalled) listener(wake.payload)
      return
    }
    // Reads that are under way may have been answered before this: nobody joins them any more.
    this.#joinNoMore()
    if (wake.kind === 'committed') {
      if (wake.epoch === this.head.epoch && wake.last <= this.head.serial) return
      if (wake.events.length > 0 && this.#take(wake.epoch, wake.events)) return
    }
    this.#pull()
  }

  /** Compares with what the store says the head is; looks again when it differs. */
  verify(head: LogHead | null): void {
    if (head !== null && samePosition(headPosition(head), this.head)) return
    this.#joinNoMore()
    this.#pull()
  }

  held(position: Position): Batch | null {
    if (position.serial === this.head.serial) return null
    if (this.#given?.after === position) return this.#given.batch
    const batch = this.#made(position)
    if (batch === null) return this.#recent.after(position)
    this.#given = { after: position, batch }
    return batch
  }

  #made(position: Position): Batch | null {
    const key = `${position.serial}.${position.tag}`
    const made = this.#batches.get(key)
    if (made !== undefined && made.reaches.epoch === position.epoch) return made
    const events = this.recent(position)
    if (events === null) return null
    const batch = this.#batch(events, position)
    this.#batches.set(key, batch)
    return batch
  }

  /** The events after a position that the tail holds, if it does. */
  recent(position: Position): readonly StoredEvent[] | null {
    const { pageEvents, pageBytes } = this.#ports.limits
    return this.#tail.after(position, pageEvents, pageBytes)
  }

  /**
   * Readers that return together to one place share one read of the store, as long as nothing happens meanwhile.
   * @param arriving for a reader, who waits for a place; the feed itself does not
   */
  page(after: number, arriving = true): Promise<Page | null> {
    const running = this.#pages.get(after)
    if (running !== undefined) return running
    const { store, limits, arrivals } = this.#ports
    const range = { after, limit: limits.pageEvents, maxBytes: limits.pageBytes }
    const read = (): Promise<Page | null> => store.read(this.session, range)
    const page = (arriving ? arrivals.run(read) : read()).finally(() => {
      if (this.#pages.get(after) === page) this.#pages.delete(after)
    })
    this.#pages.set(after, page)
    return page
  }

  /** Looks again on behalf of readers that were refused room, or whose read failed. */
  pump(): void {
    for (const cursor of this.#cursors) cursor.pump()
  }

  batchOf(page: Page, position: Position): Batch {
    const made = this.#pageBatches.get(page)
    if (made !== undefined) return made
    const batch = this.#batch(page.events, position)
    this.#pageBatches.set(page, batch)
    // What the log has gained since follows from the batch's own end.
    this.#recent.keep(position, batch)
    return batch
  }

  #batch(events: readonly StoredEvent[], position: Position): Batch {
    const last = events.at(-1)
    const reaches =
      last === undefined ? position : { epoch: position.epoch, serial: last.serial, tag: last.tag }
    return { events, reaches, frame: eventsFrame(this.session, events, reaches) }
  }

  #take(epoch: LogHead['epoch'], events: readonly StoredEvent[]): boolean {
    const taken = this.#tail.take(epoch, events)
    if (taken === 'taken') this.#flushSoon()
    return taken !== 'gap'
  }

  /** Nobody joins the reads that are under way. */
  #joinNoMore(): void {
    if (this.#pages.size > 0) this.#pages = new Map()
  }

  /** With a new map: one that is cleared links its old table to its new one, and what survived one collection then keeps all that came after it. */
  #forgetBatches(): void {
    if (this.#batches.size > 0) this.#batches = new Map()
    this.#given = null
  }

  /** What arrives within one turn of the event loop goes out as one frame. */
  #flushSoon(): void {
    this.#forgetBatches()
    if (this.#flushing) return
    this.#flushing = true
    this.#ports.clock.defer(() => {
      this.#flushing = false
      this.pump()
      // Who comes later is given it out of what is held: objects that stay cost every collection of garbage.
      this.#tail.rest()
      this.#forgetBatches()
    })
  }

  #pull(): void {
    if (this.#pulling !== 'no') {
      this.#pulling = 'again'
      return
    }
    this.#pulling = 'yes'
    void this.#readOn().finally(() => {
      const again = this.#pulling === 'again'
      this.#pulling = 'no'
      if (again) this.#pull()
    })
  }

  async #readOn(): Promise<void> {
    try {
      while (!this.#closed) {
        const { head } = this
        const page = await this.page(head.serial, false)
        if (head !== this.head) continue
        if (page === null) return this.#lookAgain()
        const verdict = judge(head, page)
        if (verdict.kind === 'current') return
        if (verdict.kind === 'reset') {
          // The log is not the one that this tail followed: each cursor finds out for its own position.
          this.#tail.restart(headPosition(page))
          return this.#lookAgain()
        }
        this.#take(page.epoch, verdict.events)
      }
    } catch (error) {
      this.#ports.failed(this.session, error)
    }
  }

  /** Every cursor asks the store about its own place, even one that stands where the tail does. */
  #lookAgain(): void {
    this.#forgetBatches()
    this.#recent.clear()
    for (const cursor of this.#cursors) cursor.recheck()
  }
}
