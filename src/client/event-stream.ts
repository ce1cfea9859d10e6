import type { WireEvent } from '../protocol/event.ts'
import { follows } from '../protocol/fold/view.ts'
import { formatPosition, parsePosition, type Position } from '../protocol/position.ts'
import { backoffMs } from './backoff.ts'
import { ClientError } from './client-error.ts'
import type { Clock } from './clock.ts'
import type { Requests } from './http-later.ts'

export interface EventStreamPorts {
  readonly session: string
  readonly http: Requests
  readonly clock: Clock
  readonly random: () => number
  /** Where the view stands; `null`: nowhere yet. */
  live(): Position | null
  /** The consumer has done with everything up to here. */
  done(position: string): void
  closed(stream: EventStream): void
}

const MAX_QUEUED = 1000
const PAGE = 500

/**
 * Events one by one, each once, in order. What the consumer has no time for waits on the server, not here: when the queue is
 * full, or the view jumps, the stream reads on from the store until it has caught up with the live line.
 */
export class EventStream implements AsyncIterableIterator<WireEvent> {
  readonly #ports: EventStreamPorts
  readonly #stop = new AbortController()
  #queue: WireEvent[] = []
  /** Where the queue ends: a position, or a serial that the caller named; `null`: from where the live line stands first. */
  #tail: string | null
  #behind: boolean
  #given: WireEvent | null = null
  #epoch = ''
  #wake: (() => void) | null = null
  /** Calls are answered in order, one after another. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(ports: EventStreamPorts, after: string | null) {
    this.#ports = ports
    const live = ports.live()
    this.#tail = after ?? (live === null ? null : formatPosition(live))
    this.#behind = after !== null
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @throws ClientError `position_unrecoverable` when what follows can't be given; any other refusal of the read */
  next(): Promise<IteratorResult<WireEvent>> {
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.catch(() => {})
    return result
  }

  return(): Promise<IteratorResult<WireEvent>> {
    this.close()
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Ends it: a consumer that waits is told so. Idempotent. */
  close(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#queue = []
    this.#ports.closed(this)
    this.#release()
  }

  /** The live line took an event. */
  offer(event: WireEvent): void {
    const tail = this.#tail === null ? null : parsePosition(this.#tail)
    if (!this.#behind && tail !== null) {
      if (event.serial <= tail.serial) return
      if (follows(tail, event) && this.#queue.length < MAX_QUEUED) this.#push(event, tail.epoch)
      else this.#behind = true
    }
    this.#release()
  }

  /** The live line jumped. */
  moved(): void {
    const live = this.#ports.live()
    if (live === null) return
    if (this.#tail === null) this.#tail = formatPosition(live)
    else if (this.#tail !== formatPosition(live)) this.#behind = true
    this.#release()
  }

  async #next(): Promise<IteratorResult<WireEvent>> {
    if (this.#given !== null)
      this.#ports.done(formatPosition({ ...this.#given, epoch: this.#epoch }))
    this.#given = null
    let attempt = 0
    while (!this.#stop.signal.aborted) {
      const event = this.#queue.shift()
      if (event !== undefined) {
        this.#given = event
        return { done: false, value: event }
      }
      if (!this.#behind) await this.#change()
      else if (await this.#catchUp(attempt)) attempt = 0
      else attempt += 1
    }
    return { done: true, value: undefined }
  }

  /** Reads a page. @returns whether it brought something, or there is nothing more to bring */
  async #catchUp(attempt: number): Promise<boolean> {
    const { session, http } = this.#ports
    const { signal } = this.#stop
    try {
      if (attempt > 0) await this.#pause(backoffMs(attempt, this.#ports.random))
      const after = this.#tail ?? '0'
      const page = await http.events({ session, after, limit: PAGE, signal })
      const { reached, more } = page
      this.#queue = [...page.events]
      this.#epoch = reached.epoch
      this.#tail = page.position
      const head = this.#ports.live()
      const ahead = head !== null && (head.epoch !== reached.epoch || head.serial > reached.serial)
      this.#behind = more || ahead
      return this.#queue.length > 0 || !this.#behind
    } catch (error) {
      if (signal.aborted) return true
      if (error instanceof ClientError && error.retryable) return false
      this.close()
      throw error
    }
  }

  #push(event: WireEvent, epoch: Position['epoch']): void {
    this.#queue.push(event)
    this.#epoch = epoch
    this.#tail = formatPosition({ ...event, epoch })
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#ports.clock.after(ms, resolve)
      this.#stop.signal.addEventListener('abort', () => {
        timer.cancel()
        resolve()
      })
    })
  }

  #release(): void {
    this.#wake?.()
    this.#wake = null
  }
}
