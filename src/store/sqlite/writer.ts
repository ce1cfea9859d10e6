import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CommitRequest, CommitResult, DeadlineGuard } from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { assign } from '../assign.ts'
import { damaged, isDamage } from './damage.ts'
import { DedupeRows } from './dedupe.ts'
import { EventRows } from './events.ts'
import { Leftovers } from './leftovers.ts'
import { ProducerRows } from './producers.ts'
import { RecordRows } from './record.ts'
import { Failure, type WriteAnswer, type WriteRequest } from './requests.ts'
import { emptySession, Sessions, type Session } from './sessions.ts'

const SQLITE_BUSY = 5
const SQLITE_IOERR = 10
const SQLITE_FULL = 13
const SQLITE_CONSTRAINT = 19

/**
 * The one that writes, in its thread. A group of requests is one transaction: each is checked against what those before it
 * wrote, and checked wholly before its own first write, so that a refusal needs no way back.
 */
export class Writer {
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #db: DatabaseSync
  readonly #sessions: Sessions
  readonly #record: RecordRows
  readonly #producers: ProducerRows
  readonly #dedupe: DedupeRows
  readonly #events: EventRows
  readonly #leftovers: Leftovers

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#sessions = new Sessions(db)
    this.#record = new RecordRows(db)
    this.#producers = new ProducerRows(db)
    this.#dedupe = new DedupeRows(db)
    this.#events = new EventRows(db)
    this.#leftovers = new Leftovers(db)
  }

  /** The answers, in order, once all of the group is as safe as `synchronous` says. */
  write(requests: readonly WriteRequest[], now: number): (WriteAnswer | Failure)[] {
    try {
      return this.#transaction(() => {
        const answers = requests.map((request) => this.#answer(request, now))
        this.#dedupe.clearStep(now)
        return answers
      })
    } catch (error) {
      const failure = failureOf(error)
      // One request that cannot be written must not take the others with it: each gets a transaction of its own.
      if (requests.length > 1) return requests.flatMap((request) => this.write([request], now))
      return [failure]
    }
  }

  get hasLeftovers(): boolean {
    return this.#leftovers.any
  }

  /** Clears a little of what removed sessions left. @returns whether that went; what fails now, on a full disk, is for a later step */
  tidy(): boolean {
    try {
      this.#transaction(() => this.#leftovers.clearStep())
      return true
    } catch (error) {
      failureOf(error)
      return false
    }
  }

  close(): void {
    // Best effort: with a reader in its way the file keeps its WAL, and the next start takes it in.
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    this.#db.close()
  }

  #transaction<T>(work: () => T): T {
    this.#begin.run()
    try {
      const result = work()
      this.#sessions.flush()
      this.#commit.run()
      this.#sessions.evict()
      return result
    } catch (error) {
      this.#sessions.forget()
      // SQLite may have rolled back on its own.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #answer(request: WriteRequest, now: number): WriteAnswer {
    switch (request.kind) {
      case 'commit':
        return this.#answerCommit(request.commit, now)
      case 'trim': {
        const session = this.#sessions.find(request.session)
        if (session === undefined) return null
        const { guard } = request.policy
        if (guard !== undefined && !this.#record.holdsField(session, guard)) {
          return { floor: session.floor, trimmed: 0, more: false }
        }
        const result = this.#events.trim(session, request.policy, now)
        if (result.trimmed > 0) this.#sessions.changed(session)
        return result
      }
      case 'remove':
        return this.#answerRemove(request.session, request.guard)
      case 'ping':
        return null
    }
  }

  #answerCommit(request: CommitRequest, now: number): CommitResult {
    const existing = this.#sessions.find(request.session)
    const { create } = request
    if (create !== undefined && existing !== undefined) return { outcome: 'exists' }
    const session = existing ?? (create && emptySession(0, request.session, create.epoch))
    if (session === undefined) return { outcome: 'missing' }
    this.#events.verifyHead(session)
    const at = Math.max(now, session.at)
    const refusal = this.#refuse(session, request, at)
    if (refusal !== null) return refusal
    const made = existing ?? this.#sessions.create(request.session, session.epoch)
    return this.#apply(made, request, { now, at })
  }

  #refuse(session: Session, request: CommitRequest, at: number): CommitResult | null {
    const { producer, events = [], guards = [] } = request
    return (
      (producer === undefined ? null : this.#producers.refuse(session, producer)) ??
      this.#dedupe.refuse(session, events, at) ??
      this.#record.refuse(session, guards)
    )
  }

  #apply(
    session: Session,
    request: CommitRequest,
    { now, at }: { readonly now: number; readonly at: number },
  ): CommitResult {
    const prev = session.tag
    const first = session.head + 1
    const news = request.events ?? []
    if (news.length > 0) {
      this.#events.append(session, assign(news, { first, prev, at }))
      this.#sessions.changed(session)
      this.#dedupe.remember(session, news, first, at)
    }
    this.#record.writeFields(session, request.writes ?? [])
    this.#record.writeDeadlines(session, request.deadlines ?? [], now)
    if (request.producer !== undefined) this.#producers.accept(session, request.producer, first)
    const { epoch, head, tag, floor, bytes } = session
    return { outcome: 'committed', epoch, first, last: head, prev, tag, at, floor, bytes }
  }

  #answerRemove(id: SessionId, guard: DeadlineGuard | undefined): boolean {
    const session = this.#sessions.find(id)
    if (session === undefined) return false
    if (guard !== undefined && !this.#record.holds(session, guard)) return false
    this.#record.remove(session)
    this.#leftovers.add(session)
    this.#sessions.remove(session)
    return true
  }
}

/**
 * The failure of a transaction that was rolled back: it had no effect. Thrown on when that is not so sure: after a failed
 * fsync nobody knows what the disk holds, and only a restart, which reads it again, can tell. Neither is a damaged file written
 * to: SQLite could spoil what is whole in it.
 */
function failureOf(error: unknown): Failure {
  if (error instanceof HeldlineError) return new Failure(error.code, error.message)
  if (isDamage(error)) throw damaged(error)
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null
  const reason = error instanceof Error ? error.message : String(error)
  switch (code) {
    case SQLITE_IOERR:
      throw error
    case null:
    case SQLITE_CONSTRAINT:
      return new Failure('internal', `unable to write; a bug: ${reason}`)
    case SQLITE_FULL:
      return new Failure('storage_full', 'unable to write; the disk is full')
    case SQLITE_BUSY:
      return new Failure(
        'store_unavailable',
        'unable to write; another program has locked the file',
      )
    default:
      return new Failure('store_unavailable', `unable to write; SQLite says: ${reason}`)
  }
}
