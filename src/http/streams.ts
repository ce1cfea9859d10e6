import { HeldlineError } from '../protocol/errors.ts'

/** An answer that goes on until somebody ends it. */
export interface OpenStream {
  /** This node goes down: says so to the reader, and ends. Never throws. */
  leave(): void
}

/** The streams of this node: bounded in number, and ended before the server closes. */
export class Streams {
  readonly #open = new Set<OpenStream>()
  readonly #max: number
  #closed = false

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#open.size
  }

  /** @throws HeldlineError `draining`, `connection_limit` */
  demandRoom(): void {
    if (this.#closed)
      throw new HeldlineError('draining', 'unable to open a stream; this node is going down')
    if (this.#open.size >= this.#max) {
      throw new HeldlineError(
        'connection_limit',
        `unable to open a stream; this node has ${this.#max}`,
      )
    }
  }

  add(stream: OpenStream): void {
    this.#open.add(stream)
    if (this.#closed) stream.leave()
  }

  delete(stream: OpenStream): void {
    this.#open.delete(stream)
  }

  close(): void {
    this.#closed = true
    for (const stream of this.#open) stream.leave()
  }
}
