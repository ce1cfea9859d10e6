import type {
  CommitRequest,
  Committed,
  DeadlineWrite,
  FieldWrite,
  Guard,
  NewEvent,
  ProducerClaim,
} from '../../core/store.ts'
import type { Epoch, SessionId } from '../../protocol/ids.ts'
import { Failure, type WriteAnswer, type WriteRequest } from './requests.ts'

/*
 * Commits and their answers cross the thread as flat arrays: cloning an object writes the name of every property,
 * which costs more than the commit's own text. Everything else is rare, and crosses as it is.
 */

type Atom = string | number | null
type Atoms = readonly Atom[] | null

type PackedCommit = readonly [
  session: SessionId,
  epoch: Epoch | null,
  producer: Atoms,
  guards: Atoms,
  events: Atoms,
  writes: Atoms,
  deadlines: Atoms,
]
export type PackedRequest = PackedCommit | Exclude<WriteRequest, { kind: 'commit' }>
export type PackedAnswer =
  | readonly Atom[]
  | { readonly failure: readonly [Failure['code'], string] }
  | { readonly answer: Exclude<WriteAnswer, Committed> }

export function packRequest(request: WriteRequest): PackedRequest {
  if (request.kind !== 'commit') return request
  const { session, create, producer, guards, events, writes, deadlines } = request.commit
  return [
    session,
    create?.epoch ?? null,
    producer === undefined ? null : [producer.id, producer.epoch, producer.seq, producer.count],
    flatten(guards, (guard) =>
      'field' in guard ? [0, guard.field, guard.equals] : [1, guard.deadline, guard.at],
    ),
    flatten(events, ({ tag, body, dedupe }) => [
      tag,
      body,
      dedupe?.id ?? null,
      dedupe?.fingerprint ?? null,
    ]),
    flatten(writes, ({ field, value }) => [field, value]),
    flatten(deadlines, ({ deadline, inMs }) => [deadline, inMs]),
  ]
}

function flatten<T>(items: readonly T[] | undefined, parts: (item: T) => readonly Atom[]): Atoms {
  return items === undefined || items.length === 0 ? null : items.flatMap(parts)
}

// Below, every cast undoes what the functions above have done to typed values.

export function unpackRequest(packed: PackedRequest): WriteRequest {
  if ('kind' in packed) return packed
  const [session, epoch, producer, guards, events, writes, deadlines] = packed
  const commit: CommitRequest = {
    session,
    ...(epoch !== null && { create: { epoch } }),
    ...(producer !== null && { producer: unpackProducer(producer) }),
    guards: unflatten(guards, 3, unpackGuard),
    events: unflatten(events, 4, unpackEvent),
    writes: unflatten(writes, 2, ([field, value]) => ({ field, value }) as FieldWrite),
    deadlines: unflatten(deadlines, 2, ([deadline, inMs]) => ({ deadline, inMs }) as DeadlineWrite),
  }
  return { kind: 'commit', commit }
}

const unpackProducer = ([id, epoch, seq, count]: readonly Atom[]): ProducerClaim =>
  ({ id, epoch, seq, count }) as ProducerClaim

const unpackGuard = ([kind, name, value]: readonly Atom[]): Guard =>
  (kind === 0 ? { field: name, equals: value } : { deadline: name, at: value }) as Guard

const unpackEvent = ([tag, body, id, fingerprint]: readonly Atom[]): NewEvent =>
  (id === null ? { tag, body } : { tag, body, dedupe: { id, fingerprint } }) as NewEvent

function unflatten<T>(atoms: Atoms, stride: number, make: (parts: readonly Atom[]) => T): T[] {
  const items: T[] = []
  for (let index = 0; index < (atoms?.length ?? 0); index += stride) {
    items.push(make(atoms?.slice(index, index + stride) ?? []))
  }
  return items
}

export function packAnswer(answer: WriteAnswer | Failure): PackedAnswer {
  if (answer instanceof Failure) return { failure: [answer.code, answer.detail] }
  if (!isCommitted(answer)) return { answer }
  const { epoch, first, last, prev, tag, at, floor, bytes } = answer
  return [epoch, first, last, prev, tag, at, floor, bytes]
}

const isCommitted = (answer: WriteAnswer): answer is Committed =>
  typeof answer === 'object' &&
  answer !== null &&
  'outcome' in answer &&
  answer.outcome === 'committed'

export function unpackAnswer(packed: PackedAnswer): WriteAnswer | Failure {
  if ('failure' in packed) return new Failure(...packed.failure)
  if ('answer' in packed) return packed.answer
  const [epoch, first, last, prev, tag, at, floor, bytes] = packed
  return { outcome: 'committed', epoch, first, last, prev, tag, at, floor, bytes } as Committed
}
