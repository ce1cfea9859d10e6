import type { Received, ReceivedOf } from './received.ts'
import { ClientError, disconnected } from './client-error.ts'
import type { Clock, Timer } from '../sdk/clock.ts'
import type { Secrets } from './credentials.ts'
import type { ClientFrame, OpenTransport, Transport, TransportKind } from './transport/transport.ts'

type WithoutRef<F> = F extends unknown ? Omit<F, 'ref'> : never
/** A frame that wants an answer; its ref is the wire's to give. */
export type Question = WithoutRef<Exclude<ClientFrame, { readonly op: 'signal' }>>
export type Answer = (answer: Received | ClientError) => void

/** Why a wire ended. `silent`: nothing came in time; else the code of the close. */
export interface WireEnd {
  readonly code: number
  readonly silent: boolean
  readonly retryAfterMs: number
}

export interface WireEvents {
  welcome(wire: Wire, frame: ReceivedOf<'welcome'>): void
  /** The first heartbeat: it carries. */
  live(wire: Wire): void
  /** Any frame that answers nobody. */
  frame(wire: Wire, frame: Received): void
  /** Once; every question that was open has been answered with `disconnected`. */
  ended(wire: Wire, end: WireEnd): void
}

/** A client that hears nothing for this long connects again, whatever the socket says. [P-4.10] */
export const WATCHDOG_MS = 35_000
const WELCOME_MS = 10_000
const FIRST_HEARTBEAT_MS = 5000
/** A long-poll has its first view to fetch before it can tell anything. */
const FIRST_POLL_MS = 20_000
const PONG_MS = 2000
/** Longer than any pause of a healthy stream or poll. */
const QUIET_MS = 26_000
const NO_CLOSE = 1006

/** One connection's life, from opening to its end: who waits for which answer, and whether it still breathes. */
export class Wire {
  readonly kind: TransportKind
  readonly #clock: Clock
  readonly #events: WireEvents
  readonly #transport: Transport
  readonly #answers = new Map<string, { readonly answer: Answer; readonly timer: Timer }>()
  #timer: Timer
  #heardAt: number
  #nextRef = 1
  #welcomed = false
  #live = false
  #probing = false
  #ended = false
  /** The longest wait that the other side asked for before it closed. */
  #retryAfterMs = 0

  constructor(
    clock: Clock,
    open: OpenTransport,
    kind: TransportKind,
    secrets: Secrets,
    events: WireEvents,
  ) {
    this.kind = kind
    this.#clock = clock
    this.#events = events
    this.#heardAt = clock.now()
    this.#timer = clock.after(WELCOME_MS, () => this.#end(NO_CLOSE, false))
    this.#transport = open(kind, secrets, {
      frame: (frame) => this.#take(frame),
      closed: (code, retryAfterMs = 0) => {
        this.#retryAfterMs = Math.max(this.#retryAfterMs, retryAfterMs)
        this.#end(code, false)
      },
    })
  }

  get live(): boolean {
    return this.#live
  }

  /** @param timeoutMs after it the answer is `timeout`; an answer that comes later is dropped */
  ask(question: Question, timeoutMs: number, answer: Answer): void {
    const ref = `r${this.#nextRef++}`
    const timer = this.#clock.after(timeoutMs, () => {
      this.#answers.delete(ref)
      answer(
        new ClientError('timeout', 'no answer in time; the outcome is unknown', {
          retryable: true,
        }),
      )
    })
    this.#answers.set(ref, { answer, timer })
    if (!this.#ended && this.#transport.send({ ...question, ref })) return
    this.#answer(ref, disconnected())
  }

  /**
   * Asks for a sign of life: `dead` where none comes within 2 s. Without a socket nothing can be asked for, and it is dead where
   * nothing was heard for longer than a healthy one is silent.
   */
  probe(told: { alive(): void; dead(): void }): void {
    if (this.kind !== 'websocket') {
      if (this.#silentMs > QUIET_MS) told.dead()
      return
    }
    if (this.#probing) return
    this.#probing = true
    this.ask({ op: 'ping' }, PONG_MS, (answer) => {
      this.#probing = false
      // Something else may have been heard since: in time, or just before the line broke. Only an answer proves it.
      if (!(answer instanceof ClientError && answer.code === 'timeout')) told.alive()
      else if (this.#silentMs < PONG_MS) this.probe(told)
      else told.dead()
    })
  }

  /** Sends what wants no answer. @returns whether it went out */
  tell(frame: ClientFrame): boolean {
    return !this.#ended && this.#transport.send(frame)
  }

  /** How long ago anything was heard. Where the clock was set back since, nobody knows: long ago, lest a line that is dead be kept until it has come there again. */
  get #silentMs(): number {
    return Math.abs(this.#clock.now() - this.#heardAt)
  }

  /** Ends it from this side. `ended` is not told; the questions are answered. */
  close(): void {
    if (this.#ended) return
    this.#ended = true
    this.#stop()
  }

  #end(code: number, silent: boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#stop()
    this.#events.ended(this, { code, silent, retryAfterMs: this.#retryAfterMs })
  }

  #stop(): void {
    this.#timer.cancel()
    this.#transport.close()
    for (const ref of this.#answers.keys()) this.#answer(ref, disconnected())
  }

  #take(frame: Received): void {
    if (this.#ended) return
    this.#heardAt = this.#clock.now()
    if (frame.type === 'welcome' && !this.#welcomed) this.#welcome(frame)
    else if (frame.type === 'heartbeat' && !this.#live) this.#breathe()
    if (this.#ended) return
    if (frame.type === 'error' && frame.retryAfterMs !== undefined && frame.ref === null) {
      this.#retryAfterMs = Math.max(this.#retryAfterMs, frame.retryAfterMs)
    }
    const ref = 'ref' in frame ? frame.ref : undefined
    if (typeof ref === 'string' && this.#answers.has(ref)) {
      return this.#answer(ref, frame.type === 'error' ? refusal(frame) : frame)
    }
    this.#events.frame(this, frame)
  }

  #welcome(frame: ReceivedOf<'welcome'>): void {
    this.#welcomed = true
    this.#timer.cancel()
    const patience = this.kind === 'long-poll' ? FIRST_POLL_MS : FIRST_HEARTBEAT_MS
    this.#timer = this.#clock.after(patience, () => this.#end(NO_CLOSE, true))
    this.#events.welcome(this, frame)
  }

  #breathe(): void {
    this.#live = true
    this.#watch(WATCHDOG_MS)
    this.#events.live(this)
  }

  /** One timer, not one a frame: when it runs, it looks how long ago something was heard. */
  #watch(ms: number): void {
    this.#timer.cancel()
    this.#timer = this.#clock.after(ms, () => {
      const rest = WATCHDOG_MS - this.#silentMs
      if (rest > 0) this.#watch(rest)
      else this.#end(NO_CLOSE, true)
    })
  }

  #answer(ref: string, answer: Received | ClientError): void {
    const waiting = this.#answers.get(ref)
    if (waiting === undefined) return
    this.#answers.delete(ref)
    waiting.timer.cancel()
    waiting.answer(answer)
  }
}

export function refusal(frame: ReceivedOf<'error'>): ClientError {
  return new ClientError(frame.code, frame.message, frame)
}
