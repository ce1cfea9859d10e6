import type { CommitRequest, CommitResult, Committed, NewEvent } from '../../core/store.ts'
import { DEDUPE_WINDOW_MS } from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { BatchAnswer, KEYS_OF_IDS, KEYS_OF_PLACES, LISTENS, pushCommit } from './encode.ts'
import { leavesDoubt, outcomeOf, type Failure } from './failures.ts'
import { keysOf } from './keys.ts'

/** At most so many commits, and about so many events and so much text, in one script call: Redis serves nobody else meanwhile, and the node has nothing to answer. */
const MAX_COMMITS = 32
const ENOUGH_EVENTS = 64
const ENOUGH_LENGTH = 256 * 1024

/** A hash of ids ends a while before its place is needed anew; what is left is the window that was promised. */
const MARGIN_MS = 10_000
const GENERATION_MS = DEDUPE_WINDOW_MS + MARGIN_MS

/** A commit that waits for its answer. */
export interface Job {
  readonly request: CommitRequest
  /** By `performance.now()`: the machine's clock may be set meanwhile. */
  readonly until: number
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: unknown) => void
}

/** Commits that go in one script call, in order, under a number by which a repetition is recognised. */
export class Batch {
  readonly sequence: number
  readonly jobs: readonly Job[]
  readonly until: number
  /** For each job the number of its session within the batch, from 0. */
  readonly #numbers: readonly number[]
  readonly #sessions: readonly SessionId[]
  /** How the last attempt failed. */
  failure: Failure | null = null
  /** Whether some attempt may have been carried out. */
  perhaps = false

  constructor(sequence: number, jobs: readonly Job[]) {
    this.sequence = sequence
    this.jobs = jobs
    this.until = jobs[0]?.until ?? 0
    const numbers = new Map<SessionId, number>()
    this.#numbers = jobs.map(({ request: { session } }) => {
      const number = numbers.get(session) ?? numbers.size
      numbers.set(session, number)
      return number
    })
    this.#sessions = [...numbers.keys()]
  }

  /** Takes from the front of a queue what fits in one batch: at least one commit. */
  static take(sequence: number, waiting: Job[]): Batch {
    let [count, events, length] = [0, 0, 0]
    for (const { request } of waiting) {
      if (count >= MAX_COMMITS || events >= ENOUGH_EVENTS || length >= ENOUGH_LENGTH) break
      count++
      events += request.events?.length ?? 0
      for (const event of request.events ?? []) length += event.body.length
    }
    return new Batch(sequence, waiting.splice(0, count))
  }

  /**
   * What follows the script: number of keys, keys, arguments, as the header of `lua/commit.lua` has them.
   * @param listens whether this node listens to a session itself
   */
  encode(
    answerKey: string,
    instance: string,
    publish: string,
    listens: (session: SessionId) => boolean,
  ): (string | number)[] {
    const commits: (string | number)[] = []
    const touched = this.#sessions.map(() => 0)
    for (const [index, { request }] of this.jobs.entries()) {
      // Every job has a number, and every number a session.
      const number = this.#numbers[index] as number
      touched[number] = (touched[number] as number) | pushCommit(commits, number + 1, request)
    }
    const keys: string[] = [answerKey]
    const named: (string | number)[] = []
    for (const [number, session] of this.#sessions.entries()) {
      const of = keysOf(session)
      const mark = (touched[number] as number) | (listens(session) ? LISTENS : 0)
      keys.push(of.record, of.log)
      if (mark & KEYS_OF_IDS) keys.push(of.evenIds, of.oddIds)
      named.push(of.channel, mark)
      if (mark & KEYS_OF_PLACES) {
        keys.push(of.due, of.index)
        named.push(session)
      }
    }
    const head = [instance, this.sequence, publish, GENERATION_MS, MARGIN_MS, this.#sessions.length]
    return [keys.length, ...keys, ...head, ...named, ...commits]
  }

  /** Notes that an attempt failed in passing. */
  missed(failure: Failure): void {
    this.failure = failure
    this.perhaps ||= leavesDoubt(failure)
  }

  /** Ends every commit of the batch with the error that is true of it. */
  giveUp(failure: Failure | null): void {
    const perhaps = this.perhaps || leavesDoubt(failure)
    for (const job of this.jobs) job.reject(outcomeOf('commit', failure, perhaps))
  }

  /**
   * Gives each commit its answer, once what was appended is told.
   * @param durable whether as many replicas as wanted have it
   * @param onAppended called for each session with all that the batch appended to it, in order
   */
  answer(
    reply: unknown,
    durable: boolean,
    onAppended: (session: SessionId, appended: Appended) => void,
  ): void {
    const results = this.#results(new BatchAnswer(reply))
    for (const [number, appended] of this.#appended(results).entries()) {
      if (appended !== null) onAppended(this.#sessions[number] as SessionId, appended)
    }
    for (const [index, { resolve, reject }] of this.jobs.entries()) {
      const result = results[index] as CommitResult | HeldlineError
      if (result instanceof HeldlineError) reject(result)
      else if (durable || !ACKNOWLEDGES.has(result.outcome)) resolve(result)
      else {
        reject(
          new HeldlineError(
            'durability_timeout',
            'unable to confirm the commit; too few replicas answered in time',
          ),
        )
      }
    }
  }

  #results(answer: BatchAnswer): (CommitResult | HeldlineError)[] {
    return this.jobs.map(({ request }, index) => {
      try {
        return answer.take(index, this.#numbers[index] as number, request)
      } catch (error) {
        return error instanceof HeldlineError
          ? error
          : new HeldlineError('internal', 'unable to read the answer to a commit', { cause: error })
      }
    })
  }

  /** For each session what was appended to it; `null`: nothing. Within a batch nobody else comes in between. */
  #appended(results: readonly (CommitResult | HeldlineError)[]): (Appended | null)[] {
    const appended = this.#sessions.map((): Appended | null => null)
    for (const [index, result] of results.entries()) {
      const events = this.jobs[index]?.request.events ?? []
      if (!('outcome' in result) || result.outcome !== 'committed' || events.length === 0) continue
      const number = this.#numbers[index] as number
      const before = appended[number]
      if (before) before.events.push(...events)
      else appended[number] = { place: result, events: [...events] }
    }
    return appended
  }
}

/** What one batch appended to one session. */
export interface Appended {
  /** Where the first event stands. */
  readonly place: Committed
  readonly events: NewEvent[]
}

/** Outcomes that tell the caller that its events are there: not to be said before they are as durable as declared. */
const ACKNOWLEDGES: ReadonlySet<CommitResult['outcome']> = new Set([
  'committed',
  'duplicate',
  'replayed',
])
