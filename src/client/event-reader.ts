import type { WireEvent } from '../protocol/event.ts'
import type { Position } from '../protocol/position.ts'
import type { Clock } from '../sdk/clock.ts'
import { readEvents } from './events-page.ts'
import type { Http } from './http.ts'

export interface EventReaderPorts {
  readonly session: string
  /** Where the view stands; `null`: nowhere yet. */
  live(): Position | null
  /** The consumer has done with everything up to here. */
  done(position: string): void
  /** The stream has ended by itself. */
  closed(): void
}

export interface EventReaderTools {
  readonly http: Http
  readonly clock: Clock
  readonly random: () => number
}

const MAX_QUEUED = 1000
const PAGE = 500

/**
 * Events one by one, each once, in order. What the consumer has no time for waits on the server, not here: when the queue is
 * full, or the view jumps, the reader reads on from the store until it has caught up with the live line.
 */
export class EventReader {
  readonly #ports: EventReaderPorts
  readonly #tools: EventReaderTools
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

  /** @param behind whether what follows the tail is to be read from the store */
  constructor(
    ports: EventReaderPorts,
    tools: EventReaderTools,
    tail: string | null,
    behind: boolean,
  ) {
    this.#ports = ports
    this.#tools = tools
    this.#tail = tail
    this.#behind = behind
  }

  /** @throws ClientError `position_unrecoverable` when what follows can't be given; any other refusal of the read */
  next(): Promise<IteratorResult<WireEvent>> {
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.catch(() => {})
    return result
  }

  /** Ends it: a consumer that waits is told so. Idempotent. */
  close(): void {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    this.#queue = []
    this.#ports.closed()
    this.#release()
  }

  /** The live line took an event. */
  offer(event: WireEvent): void {
    const { follows, parsePosition } = this.#tools.http.kit
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
    const { formatPosition } = this.#tools.http.kit
    const live = this.#ports.live()
    if (live === null) return
    if (this.#tail === null) this.#tail = formatPosition(live)
    else if (this.#tail !== formatPosition(live)) this.#behind = true
    this.#release()
  }

  async #next(): Promise<IteratorResult<WireEvent>> {
    const { formatPosition } = this.#tools.http.kit
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
    const { http, random } = this.#tools
    const { signal } = this.#stop
    try {
      if (attempt > 0) await this.#pause(http.kit.backoffMs(attempt, random))
      const after = this.#tail ?? '0'
      const { session } = this.#ports
      const page = await readEvents(http, { session, after, limit: PAGE, signal })
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
      if (error instanceof http.kit.ClientError && error.retryable) return false
      this.close()
      throw error
    }
  }

  #push(event: WireEvent, epoch: Position['epoch']): void {
    this.#queue.push(event)
    this.#epoch = epoch
    this.#tail = this.#tools.http.kit.formatPosition({ ...event, epoch })
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#tools.clock.after(ms, resolve)
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
