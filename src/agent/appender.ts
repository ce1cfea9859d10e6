import { AgentError, endsRun, isRemoval } from './agent-error.ts'
import type { Timer } from '../sdk/clock.ts'
import { joinDrafts, weigh, type Draft, type Lane } from '../protocol/formats/draft.ts'
import { insist, type Patience } from './insist.ts'
import { jsonText } from '../protocol/formats/json-text.ts'

export interface AppenderOptions extends Patience {
  /** Appends the events, of which the first has this seq. The same seq is only ever sent with the same text. */
  readonly send: (text: string, seq: number, signal: AbortSignal) => Promise<void>
  /** Nothing can be appended any more, now or ever. */
  readonly onEnd: (error: unknown) => void
}

/** What waits at most so long, or until there is so much of it, goes in one request. */
const FLUSH_MS = 25
const FLUSH_BYTES = 4 * 1024
/** From here on whoever writes waits. */
const HIGH_BYTES = 64 * 1024
/** Whoever does not wait is refused here. */
const HARD_BYTES = 1024 * 1024
/** Of one request: well below what the server takes. */
const BATCH_BYTES = 64 * 1024
const BATCH_EVENTS = 250

/** What one message is written through: it ends with the first batch that is refused. */
export interface AgentLane extends Lane {
  /** It was refused, and somebody has heard of it: what is written now belongs elsewhere. Until then a write says so. */
  readonly over: boolean
  /** What was written here first is in the log, or on its way there; `false`: it was refused. */
  readonly kept: boolean
}

interface Entry {
  draft: Draft
  bytes: number
  /** The number of the last write in it. */
  upTo: number
}

interface Waiter {
  readonly holds: () => boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Writes a run's events in batches, one request at a time. Events are numbered by a producer that is this process alone, and a batch is sent
 * again, the very same, until what became of it is known: so nothing is doubled, lost or out of order. [P-2.6] [P-2.7]
 */
export class Appender {
  readonly #options: AppenderOptions
  readonly #stop = new AbortController()
  #entries: Entry[] = []
  #bytes = 0
  /** When the oldest that waits was written. */
  #since = 0
  #timer: Timer | null = null
  #sending = false
  #sendingBytes = 0
  #seq = 0
  #written = 0
  #settled = 0
  /** The number of the last write that is in the log. */
  #logged = 0
  /** The same, as it was when each generation ended. */
  readonly #ends: number[] = []
  #waiters: Waiter[] = []
  #generation = 0
  #last: unknown = null
  /** Somebody has heard of the last failure. */
  #told = true
  #failure: { readonly error: unknown; readonly final: boolean } | null = null

  constructor(options: AppenderOptions) {
    this.#options = options
  }

  /** For one message. A refusal ends the lanes that were there, since what they wrote is not there; a new one begins anew. */
  lane(): AgentLane {
    if (this.#failure?.final === false) this.#failure = null
    const generation = this.#generation
    const isOver = (): boolean => this.#generation !== generation
    const isTold = (): boolean => this.#told
    const isLogged = (write: number): boolean => write <= (this.#ends[generation] ?? 0)
    let refused: { readonly error: unknown } | null = null
    let first = Infinity
    return {
      get over() {
        return isOver() && isTold()
      },
      get kept() {
        return !isOver() || isLogged(first)
      },
      write: async (draft) => {
        if (refused === null && isOver()) refused = { error: this.#last }
        this.#told ||= refused !== null
        if (refused !== null) throw refused.error
        const before = this.#written
        const written = this.#write(draft)
        if (this.#written > before) first = Math.min(first, this.#written)
        await written
      },
    }
  }

  /** Resolves when all that was written until now is in the log. @throws what it was refused with, unless somebody has heard of that */
  async flush(): Promise<void> {
    if (this.#failure?.final === false && this.#told) return
    const target = this.#written
    if (this.#failure === null) this.#pump()
    await this.#wait(() => this.#settled >= target)
  }

  /** Nothing is sent from now on. Idempotent. */
  stop(reason: unknown): void {
    this.#fail(reason, true)
  }

  async #write(draft: Draft): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error
    if (this.#bytes > HARD_BYTES) {
      throw new AgentError('buffer_full', 'unable to write; await what was written before')
    }
    this.#push(draft)
    if (this.#bytes >= FLUSH_BYTES) this.#pump()
    else this.#arm(FLUSH_MS)
    await this.#wait(() => this.#bytes + this.#sendingBytes <= HIGH_BYTES)
  }

  #push(draft: Draft): void {
    this.#written++
    const last = this.#entries.at(-1)
    const joined = last === undefined ? null : joinDrafts(last.draft, draft)
    const bytes = weigh(draft)
    if (this.#entries.length === 0) this.#since = this.#options.clock.now()
    this.#bytes += bytes
    if (last !== undefined && joined !== null) {
      last.draft = joined
      last.bytes += bytes
      last.upTo = this.#written
    } else this.#entries.push({ draft, bytes, upTo: this.#written })
  }

  #arm(ms: number): void {
    if (this.#sending) return
    this.#timer ??= this.#options.clock.after(ms, () => this.#pump())
  }

  #pump(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#sending || this.#entries.length === 0 || this.#failure !== null) return
    this.#sending = true
    this.#sendBatch(this.#take())
      .catch((error: unknown) => this.#refused(error))
      .finally(() => {
        this.#sending = false
        this.#sendingBytes = 0
        this.#wake()
        this.#goOn()
      })
  }

  /** What came meanwhile goes as soon as it is much, or old, or somebody waits for it. */
  #goOn(): void {
    if (this.#entries.length === 0) return
    // The machine's clock may have been set back since.
    const ageMs = Math.max(0, this.#options.clock.now() - this.#since)
    const due = this.#bytes >= FLUSH_BYTES || ageMs >= FLUSH_MS || this.#waiters.length > 0
    if (due) this.#pump()
    else this.#arm(FLUSH_MS - ageMs)
  }

  #take(): readonly Entry[] {
    let bytes = 0
    let count = 0
    for (const entry of this.#entries) {
      if (count > 0 && (bytes + entry.bytes > BATCH_BYTES || count === BATCH_EVENTS)) break
      bytes += entry.bytes
      count++
    }
    this.#bytes -= bytes
    this.#sendingBytes = bytes
    return this.#entries.splice(0, count)
  }

  async #sendBatch(batch: readonly Entry[]): Promise<void> {
    const { send } = this.#options
    const text = `[${batch.map(({ draft }) => jsonText(draft)).join(',')}]`
    const { signal } = this.#stop
    await insist(this.#options, () => send(text, this.#seq, signal), signal)
    this.#seq += batch.length
    this.#logged = batch.at(-1)?.upTo ?? this.#logged
    this.#settled = this.#logged
  }

  /**
   * A refusal has no effect, so the seq is free for what comes next; but what was written after it built on it, and goes too. Where the outcome
   * stays unknown, nothing can follow.
   */
  #refused(error: unknown): void {
    const refused = error instanceof AgentError && !error.retryable
    const isOver = endsRun(error) || isRemoval(error)
    const final = !refused || isOver || error.code.startsWith('producer_')
    this.#fail(error, final)
  }

  #fail(error: unknown, final: boolean): void {
    if (this.#failure?.final === true) return
    this.#failure = { error, final }
    this.#last = error
    this.#told = this.#waiters.length > 0
    this.#generation++
    this.#ends.push(this.#logged)
    this.#entries = []
    this.#bytes = 0
    this.#settled = this.#written
    this.#timer?.cancel()
    this.#timer = null
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error)
    if (!final) return
    this.#stop.abort(error)
    this.#options.onEnd(error)
  }

  async #wait(holds: () => boolean): Promise<void> {
    if (this.#failure !== null) {
      this.#told = true
      throw this.#failure.error
    }
    if (holds()) return
    await new Promise<void>((resolve, reject) => this.#waiters.push({ holds, resolve, reject }))
  }

  #wake(): void {
    const waiting = this.#waiters
    this.#waiters = []
    for (const waiter of waiting) {
      if (waiter.holds()) waiter.resolve()
      else this.#waiters.push(waiter)
    }
  }
}
