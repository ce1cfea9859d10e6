import type { Epoch, ProducerId, SessionId, Tag } from '../protocol/ids.ts'

/**
 * The store port: logs, records, one commit. The store knows no domain words. Its comments are the contract;
 * `test/contract/store.ts` is the same contract as code, and memory is its executable specification.
 *
 * A session is a log (events with serials 1, 2, 3 … without a hole), a record (named text fields), deadlines, and
 * what idempotency needs. Sessions are independent: no operation takes two.
 *
 * Every method may throw HeldlineError: `store_unavailable` (no effect), `outcome_unknown` (perhaps an effect: repeat the very
 * same request, which is harmless where it carries `dedupe` or a producer), `storage_full` (no effect), `event_corrupt` (read).
 */
export interface Store {
  /** What a commit that was answered survives. Constant while the store is open. */
  readonly durability: Durability

  /**
   * The one write, atomic and in one round trip. Checked in this order, the first that fails is the answer and
   * nothing at all has changed:
   *
   *  1. the session exists (`missing`), or, with `create`, does not exist (`exists`);
   *  2. `producer`: a lower epoch than the one known is `fenced`; a seq that was accepted is `replayed`; one ahead is a `gap`.
   *     A producer that is not known, or a higher epoch, may begin at any seq;
   *  3. `dedupe` of the events: when any is known, `duplicate`, naming each known one of this request;
   *  4. `guards`: when any does not hold, `conflict`, with what every guarded field and deadline really is.
   *
   * Then the events get the serials head+1 …, the store's time (never below the head's), and the chain of tags;
   * writes, deadlines, producer and dedupe entries are set in the same step; then subscribers are woken.
   * A commit without events changes the record alone: no serial, no wake-up.
   */
  commit(request: CommitRequest): Promise<CommitResult>

  /**
   * Up to `limit` events after `after`, in order, without a hole; fewer when more would pass `maxBytes` of text (but at least one, if there is one).
   * Log and head are read in one step. `null`: no such session. `after` at or beyond the head gives no events; `after` below
   * the floor gives the events after the floor: the caller compares.
   * @throws HeldlineError `event_corrupt` when the next event fails its checksum; good events before it are returned first.
   */
  read(session: SessionId, range: ReadRange): Promise<Page | null>

  /** The heads of sessions, `null` for each that does not exist; in the order asked, at most 500. */
  heads(sessions: readonly SessionId[]): Promise<(LogHead | null)[]>

  /** The named fields of the record, `null` for each that is not set; `null` as a whole when there is no such session. At most 1,000 names. */
  fields(session: SessionId, names: readonly string[]): Promise<Map<string, string | null> | null>

  /**
   * A page of sessions in an order that is stable but means nothing. Each session that exists from the first page to the last
   * appears once. `cursor` is from the page before; a page may hold fewer than `limit`, even none, and still have a cursor.
   */
  list(query: ListQuery): Promise<ListPage>

  /**
   * Deadlines that are due by the store's clock, at most `limit`, oldest first within what one look gives. They stay due until a commit clears
   * or moves them: guard that commit with the `at` given here, and it happens once whichever nodes look.
   */
  due(limit: number): Promise<DueDeadline[]>

  /**
   * Drops the oldest events that are beyond `policy`, but never one after `notAfter`, at most `limit` a call. The floor moves to the
   * last one dropped. `null`: no such session.
   */
  trim(session: SessionId, policy: TrimPolicy): Promise<TrimResult | null>

  /**
   * Forgets a session: log, record, deadlines, idempotency. With `guard`, only while that deadline is still the one given.
   * A session created again under the id has another epoch. Subscribers are woken.
   * @returns whether something was deleted
   */
  remove(session: SessionId, guard?: DeadlineGuard): Promise<boolean>

  /** Whether the store can be reached and keeps what it promises, now. Resolves; never throws. */
  check(): Promise<StoreHealth>

  /** Waits for commits under way, then lets go of files and connections. Idempotent. */
  close(): Promise<void>
}

/** `memory`: no promise. `async`: kill of any process. `fsync`: power loss of the host. `replicated`: loss of the primary. */
export type Durability = 'memory' | 'async' | 'fsync' | 'replicated'

export interface CommitRequest {
  readonly session: SessionId
  /** Makes the session, with this epoch, in the same step. */
  readonly create?: { readonly epoch: Epoch }
  readonly producer?: ProducerClaim
  readonly guards?: readonly Guard[]
  /**
   * A store takes 16,000, with as many guards and writes. What callers append is at most 1,000 (`MAX_EVENTS_A_REQUEST`, refused before it comes here); but
   * the end of runs tells of all that they had open in one commit, and an interrupt ends every run of a session. The limits of the core bound that: 100
   * runs, each with 50 open messages, 100 effects and its own end, and 100 questions together.
   */
  readonly events?: readonly NewEvent[]
  readonly writes?: readonly FieldWrite[]
  readonly deadlines?: readonly DeadlineWrite[]
}

export interface NewEvent {
  readonly tag: Tag
  /** From `encodeBody`: the event's text after its head. Kept byte for byte. */
  readonly body: string
  /** Remembered for at least `DEDUPE_WINDOW_MS`. Ids within one request differ. */
  readonly dedupe?: Dedupe
}

/** For how long a retry is recognised, at least. */
export const DEDUPE_WINDOW_MS = 10 * 60_000

export interface Dedupe {
  readonly id: string
  /** Short text that differs when the content does. */
  readonly fingerprint: string
}

/** Claims the seqs `seq … seq+count-1` of a producer. The epoch fences an older process of the same producer. */
export interface ProducerClaim {
  readonly id: ProducerId
  readonly epoch: number
  readonly seq: number
  /** At least 1; as many as the request has events, so that each seq has a serial. */
  readonly count: number
}

export type Guard = FieldGuard | DeadlineGuard
export interface FieldGuard {
  readonly field: string
  /** `null`: absent. */
  readonly equals: string | null
}
export interface DeadlineGuard {
  readonly deadline: string
  /** As `due` gave it; `null`: not set. */
  readonly at: number | null
}

export interface FieldWrite {
  readonly field: string
  /** `null` removes it. */
  readonly value: string | null
}

export interface DeadlineWrite {
  readonly deadline: string
  /** From the store's now, which is the `at` of the answer unless the clock has fallen; `null` clears it. */
  readonly inMs: number | null
}

export type CommitResult =
  | Committed
  | { readonly outcome: 'missing' }
  | { readonly outcome: 'exists' }
  | { readonly outcome: 'fenced'; readonly epoch: number }
  | { readonly outcome: 'gap'; readonly expected: number }
  /**
   * The first `count` of the claimed seqs were accepted before (all of them, or the rest is new: repeat with the rest). `serials` has one
   * entry for each of those; `null` where the answer is too old: each producer's last 16 commits are remembered.
   */
  | {
      readonly outcome: 'replayed'
      readonly epoch: Epoch
      readonly count: number
      readonly serials: readonly (number | null)[]
    }
  | { readonly outcome: 'duplicate'; readonly epoch: Epoch; readonly known: readonly KnownId[] }
  | {
      readonly outcome: 'conflict'
      readonly fields: ReadonlyMap<string, string | null>
      readonly deadlines: ReadonlyMap<string, number | null>
    }

export interface Committed {
  readonly outcome: 'committed'
  readonly epoch: Epoch
  /** Of the events; `last < first` when there were none. */
  readonly first: number
  readonly last: number
  /** The tag before the first event: its `prev`. */
  readonly prev: Tag
  /** The tag of the head after this commit. */
  readonly tag: Tag
  readonly at: number
  /** The serial of the last trimmed event, and the bytes of text (UTF-8) that the log holds: what retention decides by. */
  readonly floor: number
  readonly bytes: number
}

export interface KnownId extends Dedupe {
  readonly serial: number
}

/** An event as the store gives it: its links, and its text from brace to brace. */
export interface StoredEvent {
  readonly serial: number
  readonly tag: Tag
  readonly prev: Tag
  readonly at: number
  readonly text: string
}

export interface LogHead {
  readonly epoch: Epoch
  /** 0: no event yet; then the tag is GENESIS_TAG. */
  readonly head: number
  readonly tag: Tag
  /** The serial of the last trimmed event, and its tag. */
  readonly floor: number
  readonly floorTag: Tag
}

export interface ReadRange {
  readonly after: number
  /** 1 to 1,000. */
  readonly limit: number
  readonly maxBytes: number
}

export interface Page extends LogHead {
  readonly events: readonly StoredEvent[]
}

export interface ListQuery {
  readonly cursor: string | null
  readonly limit: number
  readonly prefix: string
  /** Fields of each record to give along. */
  readonly fields: readonly string[]
}

export interface ListPage {
  readonly sessions: readonly ListedSession[]
  readonly cursor: string | null
}

export interface ListedSession {
  readonly session: SessionId
  readonly head: LogHead
  readonly fields: ReadonlyMap<string, string | null>
}

export interface DueDeadline {
  readonly session: SessionId
  readonly deadline: string
  readonly at: number
}

export interface TrimPolicy {
  /** Keep at most so many events; `null`: no limit of this kind. */
  readonly maxEvents: number | null
  /** Keep at most so many bytes of text. */
  readonly maxBytes: number | null
  /** Keep no event older than this, by the store's clock. */
  readonly maxAgeMs: number | null
  /** The newest serial that may be dropped: what the folded view holds without the log. */
  readonly notAfter: number
  /** 1 to 1,000. */
  readonly limit: number
  /**
   * Only while this field is still this, looked at in the same step; else nothing is dropped. After a failover, what `notAfter` relies on may be
   * lost although the events are there.
   */
  readonly guard?: FieldGuard
}

export interface TrimResult {
  readonly floor: number
  readonly trimmed: number
  /** Whether the policy asks for more than `limit` allowed. */
  readonly more: boolean
}

export interface StoreHealth {
  readonly ok: boolean
  /** A sentence for the operator, without secrets. */
  readonly detail: string
}
