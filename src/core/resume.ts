import { samePosition, type Position } from '../protocol/position.ts'
import { bytesOf } from './bytes.ts'
import type { Batch } from './feed.ts'
import type { Frame } from './frame.ts'
import type { Metrics, ResumeResult } from './metrics.ts'

/** One batch goes to many that return together: its bytes are counted once. */
const SIZES = new WeakMap<Batch, number>()

/** One reader's return: what it had missed when it came, and when that has been handed to it. Only for what is counted. */
export class Resume {
  readonly #told: ReturnType<Metrics['resuming']>
  #target = Infinity
  #folded = false
  #events = 0
  #bytes = 0
  #over = false

  private constructor(told: ReturnType<Metrics['resuming']>) {
    this.#told = told
  }

  /** @param position where it was; before the first event nobody has been @returns `null`: it is no return, or nobody counts */
  static begin(metrics: Metrics | undefined, position: Position | null): Resume | null {
    if (metrics === undefined || position === null || position.serial === 0) return null
    return new Resume(metrics.resuming())
  }

  /** @param head up to where it has missed anything: what follows is live */
  from(position: Position, head: Position): void {
    this.#target = head.serial
    if (samePosition(position, head)) this.end('current')
  }

  delivered(batch: Batch): void {
    if (this.#over) return
    if (batch.reaches.serial <= this.#target) {
      this.#events += batch.events.length
      this.#bytes += sizeOf(batch)
    } else {
      for (const { serial, text } of batch.events) {
        if (serial > this.#target) break
        this.#events++
        this.#bytes += bytesOf(text)
      }
    }
    if (batch.reaches.serial < this.#target) return
    this.end(this.#folded ? 'folded' : this.#events === 0 ? 'current' : 'events')
  }

  /** It is given what its events fold to. @param events how many these are */
  fold(events: number): void {
    this.#folded = true
    this.#events = events
  }

  /** A piece of that. */
  handed({ text, reaches }: Frame): void {
    if (this.#over || !this.#folded) return
    this.#bytes += bytesOf(text)
    if (reaches !== null) this.end('folded')
  }

  /** Idempotent: what became of it first is what became of it. */
  end(result: ResumeResult): void {
    if (this.#over) return
    this.#over = true
    this.#told(result, { events: this.#events, bytes: this.#bytes })
  }
}

function sizeOf(batch: Batch): number {
  const known = SIZES.get(batch)
  if (known !== undefined) return known
  let bytes = 0
  for (const { text } of batch.events) bytes += bytesOf(text)
  SIZES.set(batch, bytes)
  return bytes
}
