import type { WireEvent } from '../protocol/event.ts'
import { formatPosition } from '../protocol/position.ts'
import { backoffMs } from './backoff.ts'
import type { Clock, Timer } from '../sdk/clock.ts'
import type { EventReader, EventReaderPorts } from './event-reader.ts'
import type { Requests } from './http-later.ts'

export interface EventStreamPorts extends EventReaderPorts {
  readonly http: Requests
  readonly clock: Clock
  readonly random: () => number
}

/** What comes before the code is kept, up to so many events; those after them are read from the store. */
const MAX_EARLY = 1000
const DONE = { done: true, value: undefined } as const

/** Events one by one, each once, in order, by a reader whose code is fetched when the first is asked for. */
export class EventStream implements AsyncIterableIterator<WireEvent> {
  readonly #ports: EventStreamPorts
  readonly #behind: boolean
  readonly #early: WireEvent[] = []
  #tail: string | null
  #reader: EventReader | null = null
  #opening: Promise<void> | null = null
  #closed = false
  /** Ends the wait for the code. */
  #end = (): void => {}
  #timer: Timer | null = null

  constructor(ports: EventStreamPorts, after: string | null) {
    this.#ports = ports
    this.#behind = after !== null
    this.#tail = after
    this.moved()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @throws ClientError `position_unrecoverable` when what follows can't be given; any other refusal of the read */
  async next(): Promise<IteratorResult<WireEvent>> {
    await (this.#opening ??= this.#open())
    return this.#reader?.next() ?? DONE
  }

  return(): Promise<IteratorResult<WireEvent>> {
    this.close()
    return Promise.resolve(DONE)
  }

  /** Ends it: a consumer that waits is told so. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#end()
    this.#reader?.close()
    this.#ports.closed()
  }

  /** The live line took an event. */
  offer(event: WireEvent): void {
    if (this.#reader !== null) this.#reader.offer(event)
    else if (this.#early.length < MAX_EARLY) this.#early.push(event)
  }

  /** The live line jumped. */
  moved(): void {
    const live = this.#ports.live()
    if (this.#reader !== null) this.#reader.moved()
    else if (live !== null) this.#tail ??= formatPosition(live)
  }

  async #open(): Promise<void> {
    const { http, clock, random } = this.#ports
    const ended = new Promise<null>((resolve) => {
      this.#end = () => resolve(null)
    })
    for (let attempt = 1; !this.#closed && this.#reader === null; attempt++) {
      try {
        const code = await Promise.race([http.code(), ended])
        if (code === null || this.#closed) return
        this.#reader = code.reader(this.#ports, this.#tail, this.#behind)
        for (const event of this.#early.splice(0)) this.#reader.offer(event)
        // Whatever was not kept is seen to be missing.
        this.#reader.moved()
      } catch {
        const wait = new Promise<void>((resolve) => {
          this.#timer = clock.after(backoffMs(attempt, random), resolve)
        })
        await Promise.race([wait, ended])
      }
    }
  }
}
