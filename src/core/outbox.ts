import type { Frame } from './frame.ts'
import type { Metrics } from './metrics.ts'

/** A way out to one client: a socket, an SSE response. */
export interface Transport<Content = Frame> {
  /** Hands a frame over; it may wait in the transport's buffer. */
  send(frame: Content): void
  /** What waits in that buffer. */
  readonly bufferedBytes: number
  /** Where the client is, as far as that is known. */
  readonly address?: string
  /** Its client has shown good credentials, for the first time. */
  proven?(): void
  close(code: number, reason: string): void
}

export interface OutboxLimits {
  readonly outboxBytes: number
  readonly outboxHardBytes: number
  readonly slowConsumerMs: number
}

/**
 * What waits for one client, bounded: events pause their cursors at `outboxBytes`, since the store holds them anyway; answers still go out, up to
 * `outboxHardBytes` beside the one frame that may be larger than that: a long message in a snapshot. A client that takes nothing for `slowConsumerMs` is closed, and may resume. [P-4.11]
 */
export class Outbox<Content = Frame> {
  readonly #transport: Transport<Content>
  readonly #limits: OutboxLimits
  readonly #metrics: Pick<Metrics, 'paused'> | undefined
  #full = false
  /** What waited when this last looked: less than that later means that the client took some, whatever was added since. */
  #lastBuffered = 0
  #progress = false
  #lastProgressAt: number
  /** What waited with a frame that is larger than `outboxHardBytes` by itself, and was given when there was room: no slowness of the client's. */
  #largeBytes = 0
  #closed = false

  constructor(
    transport: Transport<Content>,
    limits: OutboxLimits,
    now: number,
    metrics?: Pick<Metrics, 'paused'>,
  ) {
    this.#transport = transport
    this.#limits = limits
    this.#metrics = metrics
    this.#lastProgressAt = now
  }

  /** Whether events may be sent. Once full, not before half of it is gone. */
  ready(): boolean {
    const bufferedBytes = this.#look()
    const { outboxBytes } = this.#limits
    const wasFull = this.#full
    this.#full = bufferedBytes >= (wasFull ? outboxBytes / 2 : outboxBytes)
    if (this.#full && !wasFull) this.#metrics?.paused()
    return !this.#full && !this.#closed
  }

  send(frame: Content): void {
    if (this.#closed) return
    const { outboxBytes, outboxHardBytes } = this.#limits
    const before = this.#look()
    if (before > outboxHardBytes + this.#largeBytes) return this.#slow()
    this.#transport.send(frame)
    this.#lastBuffered = this.#transport.bufferedBytes
    if (before < outboxBytes)
      this.#largeBytes = this.#lastBuffered > outboxHardBytes ? this.#lastBuffered : 0
  }

  /** Looks whether the client takes anything; to be called every few seconds. */
  check(now: number): void {
    const few = this.#look() < this.#limits.outboxBytes / 2
    if (this.#progress || few) this.#lastProgressAt = now
    this.#progress = false
    if (now - this.#lastProgressAt >= this.#limits.slowConsumerMs) this.#slow()
  }

  close(): void {
    this.#closed = true
  }

  #look(): number {
    const { bufferedBytes } = this.#transport
    if (bufferedBytes < this.#lastBuffered) this.#progress = true
    this.#lastBuffered = bufferedBytes
    return bufferedBytes
  }

  #slow(): void {
    if (this.#closed) return
    this.#closed = true
    this.#transport.close(4508, 'slow consumer; resume from the last position')
  }
}
