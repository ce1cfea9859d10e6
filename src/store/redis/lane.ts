import type { CommitRequest, CommitResult } from '../../core/store.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { Batch, type Appended, type Job } from './batch.ts'
import { COMMAND_TIMEOUT_MS } from './connect.ts'
import { isBatchReply } from './encode.ts'
import { isPassing, outcomeOf, Refusal, Unanswered, type Failure } from './failures.ts'
import { answerKey } from './keys.ts'
import type { Command, Link, Reply } from './link.ts'
import { SCRIPTS } from './scripts.ts'

/** So many batches at most under way; the script keeps the answers of as many. */
const WINDOW = 8
/** So many batches at most share one WAIT. Without one each goes by itself: the first is answered, and its callers go on, while Redis is at the next. */
const FLIGHT = 4
/** Commits that wait in one lane; beyond it a commit is refused at once. */
const MAX_WAITING = 20_000
const FIRST_PAUSE_MS = 10
const MAX_PAUSE_MS = 250
/** How exactly the time of a commit is kept that waits behind a repetition. */
const EXPIRY_MS = 50

export interface LaneSettings {
  readonly link: Link
  /** Names this opening of the store: another opening's answers are not ours. */
  readonly instance: string
  readonly publish: 'publish' | 'spublish'
  /** So many replicas have to confirm, within the time. */
  readonly wait: { readonly replicas: number; readonly timeoutMs: number } | null
  /** A commit is answered within this, or its caller hears that nobody knows. */
  readonly deadlineMs: number
  /** Whether this node listens to a session itself. */
  readonly listens: (session: SessionId) => boolean
  /** Called with what a batch appended to a session, in order, before the callers hear of it. */
  readonly onAppended: (session: SessionId, appended: Appended) => void
  /** Called when a commit was given up that may yet be carried out. */
  readonly onUnknown: () => void
}

/**
 * The way of commits to one place that one script may touch: a bucket on a Cluster, else the whole server. What waits goes in one
 * script call; a few calls may be under way at once. When one fails in passing, the lane stops, repeats what failed in order, and goes on.
 *
 * Every batch may be repeated: the script keeps its answers under (instance, place in the window, sequence) and gives them again. So an
 * answer that was lost on the way costs nothing but time, whatever the commits hold.
 */
export class Lane {
  readonly #settings: LaneSettings
  readonly #answerKeys: readonly string[]
  readonly #waiting: Job[] = []
  /** Batches that are under way or to be repeated, oldest first. */
  readonly #open = new Set<Batch>()
  readonly #failed: Batch[] = []
  #sequence = 0
  #flying = 0
  #stalled = false
  #scheduled = false
  #closing: (() => void)[] | null = null

  constructor(settings: LaneSettings, bucket: number) {
    this.#settings = settings
    this.#answerKeys = Array.from({ length: WINDOW }, (_, place) =>
      answerKey(bucket, settings.instance, place),
    )
  }

  /** Whether nothing waits and nothing is under way. */
  get idle(): boolean {
    return this.#waiting.length === 0 && this.#open.size === 0
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== null || this.#waiting.length >= MAX_WAITING) {
        reject(outcomeOf('commit', null, false))
        return
      }
      const until = performance.now() + this.#settings.deadlineMs
      this.#waiting.push({ request, until, resolve, reject })
      this.#schedule()
    })
  }

  /** Takes no more; resolves when all that was taken is answered. */
  async close(): Promise<void> {
    const closing = (this.#closing ??= [])
    if (this.idle) return
    await new Promise<void>((resolve) => {
      closing.push(resolve)
    })
  }

  /** What comes in the same turn of the event loop goes together. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    const flight = this.#settings.wait === null ? 1 : FLIGHT
    while (!this.#stalled && this.#waiting.length > 0) {
      const batches: Batch[] = []
      while (batches.length < flight && this.#waiting.length > 0 && this.#room()) {
        const batch = Batch.take(this.#sequence++, this.#waiting)
        this.#open.add(batch)
        batches.push(batch)
      }
      if (batches.length === 0) return
      this.#flying++
      void this.#fly(batches)
    }
    if (this.idle && this.#closing !== null) for (const done of this.#closing.splice(0)) done()
  }

  /** Whether the next batch has a place in the window. In a WAIT the connection serves nothing else, so then one flight at a time. */
  #room(): boolean {
    if (this.#settings.wait !== null && this.#flying > 0) return false
    const [oldest] = this.#open
    return oldest === undefined || this.#sequence - oldest.sequence < WINDOW
  }

  async #fly(batches: readonly Batch[]): Promise<void> {
    const failed = await this.#attempt(batches, COMMAND_TIMEOUT_MS)
    this.#flying--
    this.#failed.push(...failed)
    if (this.#failed.length > 0) {
      this.#stalled = true
      if (this.#flying === 0) await this.#recover()
    }
    this.#pump()
  }

  /** Repeats what failed, oldest first, one at a time: then what was sent in order is carried out in order. */
  async #recover(): Promise<void> {
    const expiry = setInterval(() => this.#expire(), EXPIRY_MS)
    const failed = this.#failed.splice(0).sort((a, b) => a.sequence - b.sequence)
    for (const batch of failed) await this.#repeat(batch)
    clearInterval(expiry)
    this.#stalled = false
  }

  async #repeat(batch: Batch): Promise<void> {
    const { link, onUnknown } = this.#settings
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      const unknownScript = batch.failure instanceof Refusal && batch.failure.code === 'NOSCRIPT'
      if (batch.failure instanceof Refusal && batch.failure.code === 'MOVED') link.refresh()
      if (batch.failure instanceof Unanswered) link.suspect()
      if (!unknownScript) await pause(Math.min(pauseMs, batch.until - performance.now()))
      await link.whenReady(batch.until - performance.now())
      const leftMs = batch.until - performance.now()
      if (leftMs <= 0) break
      const failed = await this.#attempt(
        [batch],
        Math.min(leftMs, COMMAND_TIMEOUT_MS),
        unknownScript,
      )
      if (failed.length === 0) return
    }
    this.#open.delete(batch)
    batch.giveUp(batch.failure)
    if (batch.perhaps) onUnknown()
  }

  /** A commit that waits behind a repetition was not sent, and is told so in time. */
  #expire(): void {
    const now = performance.now()
    const late = this.#waiting.findIndex((job) => job.until > now)
    const expired = this.#waiting.splice(0, late === -1 ? this.#waiting.length : late)
    for (const job of expired) job.reject(outcomeOf('commit', null, false))
  }

  /** Sends batches, ends those that are answered or cannot be helped, and returns the others. */
  async #attempt(batches: readonly Batch[], timeoutMs: number, byText = false): Promise<Batch[]> {
    const { link, wait, instance, publish, listens } = this.#settings
    const { text, sha } = SCRIPTS.commit
    const commands: Command[] = batches.map((batch) => {
      const key = this.#answerKeys[batch.sequence % WINDOW] as string
      return [
        byText ? 'eval' : 'evalsha',
        byText ? text : sha,
        ...batch.encode(key, instance, publish, listens),
      ]
    })
    if (wait !== null) commands.push(['wait', wait.replicas, wait.timeoutMs])
    const replies = await link.send(commands, timeoutMs)
    const waited = wait === null ? null : (replies.at(-1) ?? NO_REPLY)
    return batches.filter(
      (batch, index) => !this.#settle(batch, replies[index] ?? NO_REPLY, waited),
    )
  }

  /** @returns whether the batch is over */
  #settle(batch: Batch, reply: Reply, waited: Reply | null): boolean {
    const { wait, onAppended } = this.#settings
    const failure =
      failureIn(reply) ?? misread(reply) ?? (waited === null ? null : carriedOut(failureIn(waited)))
    if (failure !== null && isPassing(failure)) {
      batch.missed(failure)
      return false
    }
    this.#open.delete(batch)
    if ('failure' in reply) {
      batch.giveUp(reply.failure)
    } else {
      const confirmed = waited !== null && 'value' in waited ? Number(waited.value) : 0
      batch.answer(reply.value, confirmed >= (wait?.replicas ?? 0), onAppended)
    }
    return true
  }
}

const NO_REPLY: Reply = { failure: new Unanswered('no reply') }

const failureIn = (reply: Reply): Failure | null => ('failure' in reply ? reply.failure : null)

/** Something else than the script answers: whoever it was, the outcome is not known. */
const misread = (reply: Reply): Failure | null =>
  'value' in reply && isBatchReply(reply.value) ? null : new Unanswered('an answer that is none')

/** The script was carried out, but not its WAIT: to be repeated, and until then unknown. */
const carriedOut = (failure: Failure | null): Failure | null =>
  failure === null ? null : new Unanswered(`WAIT failed: ${failure.message}`)

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, ms))
  })
