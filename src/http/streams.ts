import type { Grant, Revocations } from '../core/access.ts'
import { HeldlineError } from '../protocol/errors.ts'

/** An answer that goes on until somebody ends it. */
export interface OpenStream {
  /** This node goes down: says so to the reader, and ends. Never throws. */
  leave(): void
  /** Who asked for it. */
  readonly grant: Grant
  /** The token of whoever asked was taken back: says so where there is a way to, and ends. Never throws. */
  revoked(): void
}

/** The streams of this node: bounded in number, ended with the tokens that asked for them, and before the server closes. */
export class Streams {
  readonly #open = new Set<OpenStream>()
  readonly #max: number
  readonly #revocations: Revocations | undefined
  readonly #revoked: { close(): void } | undefined
  #closed = false

  constructor(max: number, revocations?: Revocations) {
    this.#max = max
    this.#revocations = revocations
    this.#revoked = revocations?.onRevoked(() => {
      for (const stream of this.#open) this.#endIfRevoked(stream)
    })
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
    this.#endIfRevoked(stream)
  }

  delete(stream: OpenStream): void {
    this.#open.delete(stream)
  }

  close(): void {
    this.#closed = true
    this.#revoked?.close()
    for (const stream of this.#open) stream.leave()
  }

  #endIfRevoked(stream: OpenStream): void {
    if (this.#revocations?.has(stream.grant) === true) stream.revoked()
  }
}
