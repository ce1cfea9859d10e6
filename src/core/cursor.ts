import { HeldlineError } from '../protocol/errors.ts'
import type { ResetReason } from '../protocol/frames-down.ts'
import { samePosition, type Position } from '../protocol/position.ts'
import type { Batch } from './feed.ts'
import { judge } from './judge.ts'
import type { Page } from './store.ts'

/** What a cursor reads from: the feed of its session on this node. */
export interface Source {
  readonly head: Position
  /** The batch that follows a position, when this node holds it. Readers at one position get the same object. */
  held(position: Position): Batch | null
  /** The page of the store after a position; `null`: the session is gone. */
  page(after: number): Promise<Page | null>
  /** The batch of a page; readers that share the page share the batch. */
  batchOf(page: Page, position: Position): Batch
}

/** Where a cursor delivers to. */
export interface Sink {
  /** Whether there is room. Without it the cursor rests until `pump` is called again. */
  ready(): boolean
  deliver(batch: Batch): void
  /** What follows the position can't be given: the sink says so, gets a snapshot, and moves the cursor. */
  reset(reason: ResetReason): void
  /** The session was removed. */
  gone(): void
  /** The store did not answer; the cursor looks again when it is pumped again. */
  failed(error: unknown): void
}

/**
 * One reader's place in a log. It delivers `position + 1`, or an explicit reset, from the node's tail where that holds it, else from the
 * store: replay and live are this one loop, so that there is no seam between them to lose an event in.
 */
export class Cursor {
  #position: Position
  readonly #source: Source
  readonly #sink: Sink
  /** `resting`: until the sink moves it, after a reset or before its first snapshot. */
  #state: 'following' | 'resting' | 'closed' = 'following'
  /** A read is under way; what was asked for meanwhile is done after it. */
  #reading = false
  #asked: 'nothing' | 'pump' | 'recheck' = 'nothing'

  constructor(source: Source, sink: Sink, position: Position) {
    this.#source = source
    this.#sink = sink
    this.#position = position
  }

  get position(): Position {
    return this.#position
  }

  /** Looks again: after a wake-up, after the sink has room, after a move. Cheap when there is nothing. */
  pump(): void {
    if (this.#reading && this.#asked === 'nothing') this.#asked = 'pump'
    while (this.#state === 'following' && !this.#reading && this.#sink.ready()) {
      const batch = this.#source.held(this.#position)
      if (batch !== null) this.#deliver(batch)
      else if (samePosition(this.#source.head, this.#position)) return
      else void this.#read()
    }
  }

  /** Asks the store about this very place, whatever the tail says: the log may be another one. */
  recheck(): void {
    if (this.#reading) this.#asked = 'recheck'
    else if (this.#state === 'following') void this.#read()
  }

  /** Goes on from another position: a snapshot's. */
  move(position: Position): void {
    if (this.#state === 'closed') return
    this.#position = position
    this.#state = 'following'
    this.pump()
  }

  /** Waits for a move. */
  rest(): void {
    if (this.#state === 'following') this.#state = 'resting'
  }

  close(): void {
    this.#state = 'closed'
  }

  #deliver(batch: Batch): void {
    this.#position = batch.reaches
    this.#sink.deliver(batch)
  }

  async #read(): Promise<void> {
    this.#reading = true
    this.#asked = 'nothing'
    const from = this.#position
    let delivered = false
    try {
      const page = await this.#source.page(from.serial)
      // Moved or closed while the store answered: the page is about another place.
      if (this.#position === from) delivered = this.#judge(page)
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#reading = false
    }
    this.#goOn(delivered)
  }

  /** A position that the store calls current, although the tail is not there yet, waits for the next wake-up. */
  #goOn(delivered: boolean): void {
    if (this.#asked === 'recheck') this.recheck()
    else if (delivered || this.#asked === 'pump' || this.#state !== 'following') this.pump()
  }

  /** @returns whether something was delivered */
  #judge(page: Page | null): boolean {
    if (this.#state !== 'following') return false
    if (page === null) {
      this.#state = 'resting'
      this.#sink.gone()
      return false
    }
    const verdict = judge(this.#position, page)
    if (verdict.kind === 'current') return false
    if (verdict.kind === 'reset') this.#reset(verdict.reason)
    else this.#deliver(this.#source.batchOf(page, this.#position))
    return verdict.kind === 'events'
  }

  #reset(reason: ResetReason): void {
    this.#state = 'resting'
    this.#sink.reset(reason)
  }

  #fail(error: unknown): void {
    if (this.#state !== 'following') return
    if (error instanceof HeldlineError && error.code === 'event_corrupt') this.#reset('corrupt')
    else this.#sink.failed(error)
  }
}
