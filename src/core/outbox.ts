import type { Frame } from './frame.ts'

/** A way out to one client: a socket, an SSE response. */
export interface Transport {
  /** Hands a frame over; it may wait in the transport's buffer. */
  send(frame: Frame): void
  /** What waits in that buffer. */
  readonly bufferedBytes: number
  close(code: number, reason: string): void
}

export interface OutboxLimits {
  readonly outboxBytes: number
  readonly outboxHardBytes: number
  readonly slowConsumerMs: number
}

/**
 * What waits for one client, bounded: events pause their cursors at `outboxBytes`, since the store holds them anyway; answers still go out, up to
 * `outboxHardBytes`. A client that takes nothing for `slowConsumerMs` is closed, and may resume. [P-4.11]
 */
export class Outbox {
  readonly #transport: Transport
  readonly #limits: OutboxLimits
  #full = false
  #lastBuffered = 0
  #lastProgressAt: number
  #closed = false

  constructor(transport: Transport, limits: OutboxLimits, now: number) {
    this.#transport = transport
    this.#limits = limits
    this.#lastProgressAt = now
  }

  /** Whether events may be sent. Once full, not before half of it is gone. */
  ready(): boolean {
    const { bufferedBytes } = this.#transport
    const { outboxBytes } = this.#limits
    this.#full = bufferedBytes >= (this.#full ? outboxBytes / 2 : outboxBytes)
    return !this.#full && !this.#closed
  }

  send(frame: Frame): void {
    if (this.#closed) return
    if (this.#transport.bufferedBytes > this.#limits.outboxHardBytes) return this.#slow()
    this.#transport.send(frame)
  }

  /** Looks whether the client takes anything; to be called every few seconds. */
  check(now: number): void {
    const buffered = this.#transport.bufferedBytes
    const progress = buffered < this.#lastBuffered || buffered < this.#limits.outboxBytes / 2
    if (progress) this.#lastProgressAt = now
    this.#lastBuffered = buffered
    if (now - this.#lastProgressAt >= this.#limits.slowConsumerMs) this.#slow()
  }

  close(): void {
    this.#closed = true
  }

  #slow(): void {
    if (this.#closed) return
    this.#closed = true
    this.#transport.close(4508, 'slow consumer; resume from the last position')
  }
}
