import type { CommitRequest, CommitResult } from '../../core/store.ts'
import { DEDUPE_WINDOW_MS } from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { BatchAnswer, pushCommit } from './encode.ts'
import { outcomeOf, Unanswered, type Failure } from './failures.ts'
import { keysOf } from './keys.ts'

/** At most so many commits, and about so many events and so much text, in one script call: Redis serves nobody else meanwhile. */
const MAX_COMMITS = 32
const ENOUGH_EVENTS = 256
const ENOUGH_LENGTH = 256 * 1024

/** A hash of ids ends a while before its place is needed anew; what is left is the window that was promised. */
const MARGIN_MS = 10_000
const GENERATION_MS = DEDUPE_WINDOW_MS + MARGIN_MS

/** A commit that waits for its answer. */
export interface Job {
  readonly request: CommitRequest
  readonly until: number
  readonly resolve: (result: CommitResult) => void
  readonly reject: (error: unknown) => void
}

/** Commits that go in one script call, in order, under a number by which a repetition is recognised. */
export class Batch {
  readonly sequence: number
  readonly jobs: readonly Job[]
  readonly until: number
  /** For each job the number of its session within the batch. */
  readonly #sessions: readonly number[]
  /** How the last attempt failed. */
  failure: Failure | null = null
  /** Whether some attempt may have been carried out. */
  perhaps = false

  constructor(sequence: number, jobs: readonly Job[]) {
    this.sequence = sequence
    this.jobs = jobs
    this.until = jobs[0]?.until ?? 0
    const numbers = new Map<SessionId, number>()
    this.#sessions = jobs.map(({ request: { session } }) => {
      const number = numbers.get(session) ?? numbers.size
      numbers.set(session, number)
      return number
    })
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

  /** What follows the script: number of keys, keys, arguments, as the header of `lua/commit.lua` has them. */
  encode(answerKey: string, instance: string, publish: string): (string | number)[] {
    const keys: string[] = [answerKey]
    const named: (string | number)[] = []
    const commits: (string | number)[] = []
    for (const [index, { request }] of this.jobs.entries()) {
      const number = this.#sessions[index] as number
      // A session is named where it comes first.
      if (number * 2 === named.length) {
        const of = keysOf(request.session)
        keys.push(of.record, of.log, of.evenIds, of.oddIds, of.due, of.index)
        named.push(request.session, of.channel)
      }
      pushCommit(commits, number + 1, request)
    }
    const head = [instance, this.sequence, publish, GENERATION_MS, MARGIN_MS, named.length / 2]
    return [keys.length, ...keys, ...head, ...named, ...commits]
  }

  /** Notes that an attempt failed in passing. */
  missed(failure: Failure): void {
    this.failure = failure
    this.perhaps ||= failure instanceof Unanswered
  }

  /** Ends every commit of the batch with the error that is true of it. */
  giveUp(failure: Failure | null): void {
    for (const job of this.jobs) job.reject(outcomeOf('commit', failure, this.perhaps))
  }

  /**
   * Gives each commit its answer.
   * @param durable whether as many replicas as wanted have it
   */
  answer(
    reply: unknown,
    durable: boolean,
    onCommitted: (request: CommitRequest, result: CommitResult) => void,
  ): void {
    const answer = new BatchAnswer(reply)
    for (const [index, job] of this.jobs.entries()) {
      try {
        const result = answer.take(index, this.#sessions[index] as number, job.request)
        onCommitted(job.request, result)
        if (!durable && ACKNOWLEDGES.has(result.outcome)) {
          job.reject(
            new HeldlineError(
              'durability_timeout',
              'unable to confirm the commit; too few replicas answered in time',
            ),
          )
        } else {
          job.resolve(result)
        }
      } catch (error) {
        job.reject(error)
      }
    }
  }
}

/** Outcomes that tell the caller that its events are there: not to be said before they are as durable as declared. */
const ACKNOWLEDGES: ReadonlySet<CommitResult['outcome']> = new Set([
  'committed',
  'duplicate',
  'replayed',
])
