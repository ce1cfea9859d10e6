import { Worker } from 'node:worker_threads'
import { HeldlineError } from '../../protocol/errors.ts'
import { packRequest, unpackAnswers, type PackedAnswers, type PackedRequests } from './pack.ts'
import {
  Failure,
  sizeOf,
  type WriteAnswer,
  type WriteAnswers,
  type WriteRequest,
} from './requests.ts'
import type { ToWorker, WorkerOptions } from './worker.ts'

/** So much may wait for the writer; what comes beyond it is refused, and costs nothing. */
const MAX_WAITING = 10_000
const MAX_WAITING_CHARS = 64 << 20
/**
 * So much goes to the writer at once, also in the midst of a turn: a group worth having, whether it is idle or busy with what it was given before. Did
 * it go at the end of turns alone, the two threads would take turns where requests are large; with much less, waking the writer costs more than it
 * gains, and who follows a session is given its events in more and smaller frames.
 */
const AHEAD_ROWS = 128
const AHEAD_CHARS = 64 << 10

interface Waiting {
  readonly request: WriteRequest
  readonly chars: number
  readonly resolve: (answer: WriteAnswer) => void
  readonly reject: (error: HeldlineError) => void
}

type FromWorker = 'ready' | 'closed' | PackedAnswers

/**
 * The way to the writer's thread: requests in order, answers in the same order. What makes a group of its own goes at once. Less goes
 * to an idle writer at the end of the turn of the event loop, and to a busy one when it has answered: waking a thread costs more than
 * a commit, so that few messages with much in each leave more of both threads for the work.
 * When the thread dies, what it had been given is unknown, and nothing more is taken.
 */
export class WriterLink {
  readonly #worker: Worker
  readonly #now: () => number
  readonly #answered: (request: WriteRequest, answer: WriteAnswer) => void
  readonly #waiting: Waiting[] = []
  readonly #ready = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  readonly #failed = Promise.withResolvers<Error>()
  #outbox: PackedRequests = []
  /** What the outbox holds. */
  #heldRows = 0
  #heldChars = 0
  /** How many of those waiting, from the first on, the writer has been given. */
  #given = 0
  #scheduled = false
  #waitingChars = 0
  #failure: Error | null = null
  #closing = false

  /** @param answered is told of each answer just before its promise resolves, in the order of commits */
  constructor(
    worker: Worker,
    now: () => number,
    answered: (request: WriteRequest, answer: WriteAnswer) => void,
  ) {
    this.#now = now
    this.#answered = answered
    this.#worker = worker
    // Whoever opens the store awaits it; a link that dies later has nobody there to hear.
    this.#ready.promise.catch(() => undefined)
    this.#worker.on('message', (message: FromWorker) => this.#receive(message))
    this.#worker.on('error', (error: unknown) => this.#die(error))
    this.#worker.on('exit', () => this.#die(new Error('the thread of the writer has ended')))
  }

  /** Settles when the writer has opened the file, or could not. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  /** Why the writer is gone; `null` while it is there. */
  get failure(): Error | null {
    return this.#failure
  }

  /** Resolves when the writer is gone that was there, with the reason; never where it was closed. */
  get failed(): Promise<Error> {
    return this.#failed.promise
  }

  /** Rejects with HeldlineError `store_unavailable`, `outcome_unknown`, what the writer answers. */
  send<K extends keyof WriteAnswers>(
    request: Extract<WriteRequest, { kind: K }>,
  ): Promise<WriteAnswers[K]> {
    const { rows, chars } = sizeOf(request)
    const refusal = this.#refusal(chars)
    if (refusal !== null) return Promise.reject(refusal)
    const { promise, resolve, reject } = Promise.withResolvers<WriteAnswer>()
    this.#waiting.push({ request, chars, resolve, reject })
    this.#waitingChars += chars
    packRequest(request, this.#outbox)
    this.#heldRows += rows
    this.#heldChars += chars
    this.#schedule()
    // The writer answers each kind with its own: `WriteAnswers` is its table.
    return promise as Promise<WriteAnswers[K]>
  }

  /** Nothing more is taken, whatever the writer is at. */
  stop(cause: Error): void {
    this.#die(cause)
    void this.#worker.terminate()
  }

  /** Answers what is under way first. */
  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#flush()
      this.#post('close')
    }
    return this.#closed.promise
  }

  /** Why nothing of this size is taken now; `null`: it is. */
  #refusal(chars: number): HeldlineError | null {
    if (this.#failure !== null) return this.#stopped()
    if (this.#closing) {
      return new HeldlineError('store_unavailable', 'unable to write; the store is closed')
    }
    const waiting = this.#waiting.length
    const full = waiting >= MAX_WAITING || this.#waitingChars + chars > MAX_WAITING_CHARS
    if (!full || waiting === 0) return null
    return new HeldlineError('store_unavailable', 'unable to write; too much is waiting already', {
      retryAfterMs: 500,
      facts: { waiting },
    })
  }

  /** A group worth having goes at once; less, to a writer that has nothing to do, at the end of this turn of the event loop. */
  #schedule(): void {
    if (this.#heldRows >= AHEAD_ROWS || this.#heldChars >= AHEAD_CHARS) return this.#flush()
    if (this.#scheduled || this.#given > 0) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      // A group that went meanwhile has made it busy.
      if (this.#given === 0) this.#flush()
    })
  }

  #flush(): void {
    if (this.#outbox.length === 0) return
    const requests = this.#outbox
    this.#outbox = []
    this.#heldRows = 0
    this.#heldChars = 0
    this.#given = this.#waiting.length
    this.#post({ now: this.#now(), requests })
  }

  #post(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message)
  }

  #receive(message: FromWorker): void {
    if (message === 'ready') this.#ready.resolve()
    else if (message === 'closed') this.#closed.resolve()
    // What it was at when it was stopped was answered as unknown.
    else if (this.#failure === null) this.#settle(message)
  }

  #settle(packed: PackedAnswers): void {
    const answers = unpackAnswers(packed, (index) => {
      const request = index < this.#given ? this.#waiting[index]?.request : undefined
      if (request === undefined) throw new Error('the writer answered what was not asked')
      return request
    })
    const settled = this.#waiting.splice(0, answers.length)
    this.#given -= answers.length
    // Before the answers are told: the writer works meanwhile.
    if (this.#given === 0) this.#flush()
    for (const [index, { request, chars, resolve, reject }] of settled.entries()) {
      this.#waitingChars -= chars
      const answer = answers[index] ?? null
      if (answer instanceof Failure) {
        reject(new HeldlineError(answer.code, answer.detail, { retryAfterMs: 1000 }))
        continue
      }
      resolve(answer)
      this.#answered(request, answer)
    }
  }

  #die(cause: unknown): void {
    this.#failure ??= cause instanceof Error ? cause : new Error(String(cause))
    this.#ready.reject(this.#failure)
    this.#closed.resolve()
    this.#outbox = []
    this.#waitingChars = 0
    const given = this.#given
    this.#given = 0
    for (const [index, { reject }] of this.#waiting.splice(0).entries()) {
      reject(index < given ? this.#unknown() : this.#stopped())
    }
    if (!this.#closing) this.#failed.resolve(this.#failure)
  }

  #unknown(): HeldlineError {
    return new HeldlineError('outcome_unknown', 'unable to tell; the writer stopped under way', {
      cause: this.#failure,
    })
  }

  #stopped(): HeldlineError {
    return new HeldlineError('store_unavailable', 'unable to write; the writer has stopped', {
      cause: this.#failure,
    })
  }
}

/** The writer's thread on this file. */
export function startWriter(options: WorkerOptions): Worker {
  // The same as source and as built.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'
  return new Worker(new URL(file, import.meta.url), {
    workerData: options,
    name: 'heldline-sqlite-writer',
    execArgv: ['--no-warnings'],
  })
}
