import { Worker } from 'node:worker_threads'
import { HeldlineError } from '../../protocol/errors.ts'
import { packRequest, unpackAnswer, type PackedAnswer, type PackedRequest } from './pack.ts'
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

interface Waiting {
  readonly request: WriteRequest
  readonly chars: number
  readonly resolve: (answer: WriteAnswer) => void
  readonly reject: (error: HeldlineError) => void
}

type FromWorker = 'ready' | 'closed' | readonly PackedAnswer[]

/**
 * The way to the writer's thread: requests in order, one message for all of a turn of the event loop; answers in the
 * same order. When the thread dies, what was under way is unknown, and nothing more is taken.
 */
export class WriterLink {
  readonly #worker: Worker
  readonly #now: () => number
  readonly #answered: (request: WriteRequest, answer: WriteAnswer) => void
  readonly #waiting: Waiting[] = []
  readonly #ready = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  #outbox: PackedRequest[] = []
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

  async send<K extends keyof WriteAnswers>(
    request: Extract<WriteRequest, { kind: K }>,
  ): Promise<WriteAnswers[K]> {
    this.#assertOpen()
    const { chars } = sizeOf(request)
    const full =
      this.#waiting.length >= MAX_WAITING || this.#waitingChars + chars > MAX_WAITING_CHARS
    if (full && this.#waiting.length > 0) {
      throw new HeldlineError('store_unavailable', 'unable to write; too much is waiting already', {
        retryAfterMs: 500,
        facts: { waiting: this.#waiting.length },
      })
    }
    const { promise, resolve, reject } = Promise.withResolvers<WriteAnswer>()
    this.#waiting.push({ request, chars, resolve, reject })
    this.#waitingChars += chars
    if (this.#outbox.length === 0) setImmediate(() => this.#flush())
    this.#outbox.push(packRequest(request))
    // The writer answers each kind with its own: `WriteAnswers` is its table.
    return (await promise) as WriteAnswers[K]
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

  #assertOpen(): void {
    if (this.#failure !== null) {
      throw new HeldlineError('store_unavailable', 'unable to write; the writer has stopped', {
        cause: this.#failure,
      })
    }
    if (this.#closing) {
      throw new HeldlineError('store_unavailable', 'unable to write; the store is closed')
    }
  }

  #flush(): void {
    if (this.#outbox.length === 0) return
    const requests = this.#outbox
    this.#outbox = []
    this.#post({ now: this.#now(), requests })
  }

  #post(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message)
  }

  #receive(message: FromWorker): void {
    if (message === 'ready') this.#ready.resolve()
    else if (message === 'closed') this.#closed.resolve()
    else this.#settle(message)
  }

  #settle(answers: readonly PackedAnswer[]): void {
    const settled = this.#waiting.splice(0, answers.length)
    for (const [index, packed] of answers.entries()) {
      const waiting = settled[index]
      if (waiting === undefined) throw new Error('the writer answered what was not asked')
      this.#waitingChars -= waiting.chars
      const answer = unpackAnswer(packed)
      if (answer instanceof Failure) {
        const retry = { retryAfterMs: 1000 }
        waiting.reject(new HeldlineError(answer.code, answer.detail, retry))
        continue
      }
      waiting.resolve(answer)
      this.#answered(waiting.request, answer)
    }
  }

  #die(cause: unknown): void {
    this.#failure ??= cause instanceof Error ? cause : new Error(String(cause))
    this.#ready.reject(this.#failure)
    this.#closed.resolve()
    this.#outbox = []
    this.#waitingChars = 0
    for (const { reject } of this.#waiting.splice(0)) {
      reject(
        new HeldlineError('outcome_unknown', 'unable to tell; the writer stopped under way', {
          cause: this.#failure,
        }),
      )
    }
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
