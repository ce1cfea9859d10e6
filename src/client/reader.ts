import type { WireEvent } from '../protocol/event.ts'
import type { ResetReason } from '../protocol/frames-down.ts'
import type { ReceivedOf } from './received.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import type { Message } from '../protocol/fold/message.ts'
import { View, type ViewRest } from '../protocol/fold/view.ts'
import { GENESIS_TAG, type Epoch } from '../protocol/ids.ts'
import { formatPosition, parsePosition, type Position } from '../protocol/position.ts'
import { backoffMs } from './backoff.ts'
import type { ClientError } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'
import { Timers } from './timers.ts'
import type { Answer, Question } from './wire.ts'

/** What a reader needs of the connection that it reads from. */
export interface Channel {
  ask(question: Question, timeoutMs: number, answer: Answer): void
}

export interface Reset {
  readonly reason: ResetReason
  /** The serial of the last event that retention dropped. */
  readonly floor: number
  /** The position that could not be followed. */
  readonly position: string
}

export interface ReaderEvents {
  /** An event was taken: the next of the line. */
  event(event: WireEvent): void
  /** The view has moved to a position by a snapshot; events between were not told. */
  moved(): void
  /** The server has said that it can't go on from our position; the view has been replaced. */
  reset(reset: Reset): void
  attached(): void
  /** The attach was refused, and asking again will not help. */
  refused(error: ClientError): void
}

export interface ReaderPorts {
  readonly session: string
  readonly clock: Clock
  readonly random: () => number
  readonly catchup: 'auto' | 'events'
  presence(): PresenceRequest | undefined
}

interface Pieces {
  readonly position: string
  readonly since: number | undefined
  readonly messages: Message[]
}

const ANSWER_MS = 10_000
const HEAD_MS = 2000
const NOWHERE: Position = { epoch: '----------' as Epoch, serial: 0, tag: GENESIS_TAG }

/**
 * One session's line of events, over any number of connections: the view, and the rule that decides what is taken.
 * It reads whatever comes, from whichever wire, since an event names the content that it follows. [P-4]
 */
export class Reader {
  readonly view = new View(NOWHERE)
  readonly #ports: ReaderPorts
  readonly #events: ReaderEvents
  readonly #timers: Timers<'attach' | 'head'>
  #channel: Channel | null = null
  #state: 'away' | 'attaching' | 'attached' = 'away'
  #placed = false
  #pieces: Pieces | null = null
  #reset: Reset | null = null
  /** Attaches in a row that brought nothing. */
  #fruitless = 0
  /** Counts attaches, so that an answer to an older one is not taken for this one's. */
  #round = 0
  /** Counts what came, to see whether anything does. */
  #progress = 0

  constructor(ports: ReaderPorts, events: ReaderEvents) {
    this.#ports = ports
    this.#events = events
    this.#timers = new Timers(ports.clock)
  }

  /** Where the view stands; `null` before the first snapshot. */
  get position(): Position | null {
    return this.#placed ? this.view.position : null
  }

  get attached(): boolean {
    return this.#state === 'attached'
  }

  /** Attaches over a new connection, from where the view is. */
  connect(channel: Channel): void {
    this.#channel = channel
    this.#fruitless = 0
    this.#attach()
  }

  /** The connection is gone; the view stays. */
  disconnect(): void {
    this.#channel = null
    this.#state = 'away'
    this.#pieces = null
    this.#reset = null
    this.#timers.clear()
  }

  /**
   * Attaches again from the position: the first time at once, then with growing pauses.
   * @param afterMs not before, where the server said so [P-8.1]
   */
  reattach(afterMs = 0): void {
    if (this.#channel === null || this.#timers.has('attach')) return
    this.#state = 'attaching'
    this.#timers.cancel('head')
    const pause = this.#fruitless && backoffMs(this.#fruitless, this.#ports.random)
    const wait = Math.max(afterMs, pause)
    if (wait === 0) return this.#attach()
    this.#timers.start('attach', wait, () => this.#attach())
  }

  /** @param trusted whether a break is ours to mend; not on a wire that another has replaced */
  takeEvents(frame: ReceivedOf<'events'>, trusted: boolean): void {
    if (!this.#placed) return
    for (const event of frame.events) {
      if (event.serial <= this.view.position.serial) continue
      if (!this.view.apply(event)) {
        if (trusted && this.attached) this.reattach()
        return
      }
      this.#advance()
      this.#events.event(event)
    }
  }

  takeReset(frame: ReceivedOf<'reset'>): void {
    this.#reset = { reason: frame.reason, floor: frame.floor, position: frame.position }
    this.#pieces = null
    this.#progress += 1
  }

  /** A piece of a snapshot; with the last one the view is put in place, and not before. [P-4.5] */
  takeSnapshot(frame: ReceivedOf<'snapshot'>): void {
    const position = parsePosition(frame.position)
    if (position === null || !this.#expects(position, frame.since)) return
    this.#progress += 1
    if (this.#pieces?.position !== frame.position || this.#pieces.since !== frame.since) {
      this.#pieces = { position: frame.position, since: frame.since, messages: [] }
    }
    const { messages, rest } = frame
    if (!frame.last || rest === undefined) return void this.#pieces.messages.push(...messages)
    const all = [...this.#pieces.messages, ...messages]
    this.#pieces = null
    this.#place(position, all, rest, frame.since)
  }

  /** A heartbeat named the head: where it is elsewhere and nothing comes within 2 s, we ask. [P-4.10] */
  takeHead(head: string): void {
    if (!this.attached) return
    if (this.#placed && head === formatPosition(this.view.position)) {
      this.#timers.cancel('head')
      return
    }
    if (this.#timers.has('head')) return
    const before = this.#progress
    this.#timers.start('head', HEAD_MS, () => {
      if (this.#progress === before) this.reattach()
    })
  }

  /** The server could not go on with this session, or will not. */
  takeError(error: ClientError): void {
    if (this.#state !== 'away') this.#refused(error)
  }

  #attach(): void {
    const channel = this.#channel
    if (channel === null) return
    const { session, catchup } = this.#ports
    const wish = this.#ports.presence()
    const round = ++this.#round
    this.#state = 'attaching'
    this.#fruitless += 1
    const question: Question = {
      op: 'attach',
      session,
      ...(this.#placed && { position: formatPosition(this.view.position), catchup }),
      ...(wish !== undefined && { presence: wish }),
    }
    channel.ask(question, ANSWER_MS, (answer) => {
      if (round !== this.#round || channel !== this.#channel) return
      if (answer instanceof Error) return this.#refused(answer)
      this.#state = 'attached'
      this.#pieces = null
      this.#events.attached()
    })
  }

  #refused(error: ClientError): void {
    if (error.retryable) return this.reattach(error.retryAfterMs)
    // A position that the server does not even read is worth no more than none.
    if (error.code === 'invalid_position' && this.#placed) {
      this.#placed = false
      return this.reattach()
    }
    this.#events.refused(error)
  }

  /** Whether a snapshot would bring us forward. One that is told twice, or late, would not. */
  #expects(position: Position, since: number | undefined): boolean {
    if (!this.#placed || (this.#reset !== null && since === undefined)) return since === undefined
    const own = this.view.position
    if (position.epoch === own.epoch && position.serial <= own.serial) return false
    return since === undefined || (position.epoch === own.epoch && since <= own.serial)
  }

  #place(position: Position, messages: readonly Message[], rest: ViewRest, since?: number): void {
    const reset = this.#reset
    this.view.restore(position, messages, rest, since)
    this.#placed = true
    this.#reset = null
    this.#advance()
    this.#events.moved()
    if (reset !== null) this.#events.reset(reset)
  }

  #advance(): void {
    this.#progress += 1
    this.#fruitless = 0
  }
}
