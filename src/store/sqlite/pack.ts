import type {
  CommitRequest,
  Committed,
  DeadlineWrite,
  FieldWrite,
  Guard,
  NewEvent,
  ProducerClaim,
} from '../../core/store.ts'
import { Failure, type WriteAnswer, type WriteRequest } from './requests.ts'

/*
 * All the commits of a message, and all the answers to a group, cross the thread as one flat array: cloning an object writes
 * the name of every property, and cloning an array of arrays makes as many again on the other side. What both sides know
 * stays where it is: an answer does not repeat what its request says. Everything else is rare, and crosses as it is.
 */

type Atom = string | number | null
export type PackedRequests = (Atom | Exclude<WriteRequest, { kind: 'commit' }>)[]
export type PackedAnswers = (Atom | Exclude<WriteAnswer, Committed>)[]

/** What an entry of a packed array is. */
const COMMIT = 0
const FAILURE = 1
const OTHER = 2

/** Appends a request to those that go with the same message. */
export function packRequest(request: WriteRequest, into: PackedRequests): void {
  if (request.kind !== 'commit') {
    into.push(OTHER, request)
    return
  }
  const { session, create, producer, guards, events, writes, deadlines } = request.commit
  into.push(COMMIT, session, create?.epoch ?? null, producer?.id ?? null)
  if (producer !== undefined) into.push(producer.epoch, producer.seq, producer.count)
  into.push(guards?.length ?? 0)
  for (const guard of guards ?? []) {
    if ('field' in guard) into.push(0, guard.field, guard.equals)
    else into.push(1, guard.deadline, guard.at)
  }
  into.push(events?.length ?? 0)
  for (const { tag, body, dedupe } of events ?? []) {
    into.push(tag, body, dedupe?.id ?? null, dedupe?.fingerprint ?? null)
  }
  into.push(writes?.length ?? 0)
  for (const { field, value } of writes ?? []) into.push(field, value)
  into.push(deadlines?.length ?? 0)
  for (const { deadline, inMs } of deadlines ?? []) into.push(deadline, inMs)
}

// Below, every cast undoes what the functions above and below have done to typed values.

/** Adds the requests of a message to those that wait. */
export function unpackRequests(packed: PackedRequests, into: WriteRequest[]): void {
  const reader = new Unpacking(packed)
  while (reader.hasMore) {
    const kind = reader.next()
    into.push(kind === COMMIT ? { kind: 'commit', commit: unpackCommit(reader) } : reader.next())
  }
}

/** A packed array, entry by entry. */
class Unpacking {
  readonly #packed: readonly unknown[]
  #at = 0

  constructor(packed: readonly unknown[]) {
    this.#packed = packed
  }

  get hasMore(): boolean {
    return this.#at < this.#packed.length
  }

  /** The next entry, which the caller knows the type of by its place. */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- a cast at each of its uses otherwise
  next<T>(): T {
    return this.#packed[this.#at++] as T
  }

  /** A list: its length, then its items. */
  list<T>(item: () => T): T[] {
    const items: T[] = []
    for (let left = this.next<number>(); left > 0; left--) items.push(item())
    return items
  }
}

function unpackCommit(reader: Unpacking): CommitRequest {
  const session: CommitRequest['session'] = reader.next()
  const epoch: NonNullable<CommitRequest['create']>['epoch'] | null = reader.next()
  const producer: ProducerClaim['id'] | null = reader.next()
  return {
    session,
    ...(epoch !== null && { create: { epoch } }),
    ...(producer !== null && {
      producer: { id: producer, epoch: reader.next(), seq: reader.next(), count: reader.next() },
    }),
    guards: reader.list(() => unpackGuard(reader)),
    events: reader.list(() => unpackEvent(reader)),
    writes: reader.list((): FieldWrite => ({ field: reader.next(), value: reader.next() })),
    deadlines: reader.list((): DeadlineWrite => ({ deadline: reader.next(), inMs: reader.next() })),
  }
}

function unpackGuard(reader: Unpacking): Guard {
  return reader.next<number>() === 0
    ? { field: reader.next(), equals: reader.next() }
    : { deadline: reader.next(), at: reader.next() }
}

function unpackEvent(reader: Unpacking): NewEvent {
  const tag: NewEvent['tag'] = reader.next()
  const body: string = reader.next()
  const id: string | null = reader.next()
  const fingerprint: string | null = reader.next()
  return id === null || fingerprint === null
    ? { tag, body }
    : { tag, body, dedupe: { id, fingerprint } }
}

/** Answers of a group, in order. */
export function packAnswers(answers: readonly (WriteAnswer | Failure)[]): PackedAnswers {
  const packed: PackedAnswers = []
  for (const answer of answers) {
    if (answer instanceof Failure) packed.push(FAILURE, answer.code, answer.detail)
    else if (!isCommitted(answer)) packed.push(OTHER, answer)
    else {
      const { epoch, first, prev, at, floor, bytes } = answer
      packed.push(COMMIT, epoch, first, prev, at, floor, bytes)
    }
  }
  return packed
}

const isCommitted = (answer: WriteAnswer): answer is Committed =>
  typeof answer === 'object' &&
  answer !== null &&
  'outcome' in answer &&
  answer.outcome === 'committed'

/** The answers of a message, to the requests that are next. */
export function unpackAnswers(
  packed: PackedAnswers,
  requestOf: (index: number) => WriteRequest,
): (WriteAnswer | Failure)[] {
  const reader = new Unpacking(packed)
  const answers: (WriteAnswer | Failure)[] = []
  while (reader.hasMore) answers.push(unpackAnswer(reader, requestOf(answers.length)))
  return answers
}

function unpackAnswer(reader: Unpacking, request: WriteRequest): WriteAnswer | Failure {
  const kind = reader.next<number>()
  if (kind === FAILURE) return new Failure(reader.next(), reader.next())
  if (kind === OTHER) return reader.next()
  const events = (request.kind === 'commit' && request.commit.events) || []
  const epoch: Committed['epoch'] = reader.next()
  const first: number = reader.next()
  const prev: Committed['prev'] = reader.next()
  return {
    outcome: 'committed',
    epoch,
    first,
    last: first + events.length - 1,
    prev,
    tag: events.at(-1)?.tag ?? prev,
    at: reader.next(),
    floor: reader.next(),
    bytes: reader.next(),
  }
}
