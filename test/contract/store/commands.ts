import fc from 'fast-check'
import type { DeadlineWrite, FieldGuard, FieldWrite, NewEvent } from '../../../src/core/store.ts'
import { encodeBody } from '../../../src/protocol/codec.ts'
import type { Epoch, ProducerId, Tag } from '../../../src/protocol/ids.ts'

/** A command on one of three sessions; small pools, so that retries, races and conflicts are the rule. */
export type Command =
  | (CommitCommand & { readonly kind: 'commit'; readonly session: number })
  /** At the same time, each on a session of its own. */
  | { readonly kind: 'together'; readonly commits: readonly CommitCommand[] }
  | {
      readonly kind: 'read'
      readonly session: number
      readonly after: number
      readonly limit: number
      readonly maxBytes: number
    }
  | {
      readonly kind: 'trim'
      readonly session: number
      readonly maxEvents: number | null
      readonly maxBytes: number | null
      readonly notAfter: number
      readonly limit: number
    }
  | {
      readonly kind: 'remove'
      readonly session: number
      readonly guard: 'current' | 'never' | 'none'
    }
  | { readonly kind: 'look'; readonly session: number; readonly fields: readonly string[] }

export interface CommitCommand {
  readonly create: Epoch | null
  readonly producer: {
    readonly id: ProducerId
    readonly epoch: number
    readonly seq: number
  } | null
  readonly guards: readonly FieldGuard[]
  readonly deadlineGuard: 'current' | 'never' | 'none'
  readonly events: readonly NewEvent[]
  readonly writes: readonly FieldWrite[]
  readonly deadlines: readonly DeadlineWrite[]
}

const BASE64URL = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
const code = (length: number) =>
  fc.string({ unit: fc.constantFrom(...BASE64URL), minLength: length, maxLength: length })
const small = (max: number) => fc.integer({ min: 0, max })
const session = small(2)
const name = fc.constantFrom('a', 'b', '__proto__', 'constructor')
const value = fc.constantFrom('', '1', '2', '🚀')
/** `null` so many times as often as a value. */
const orNull = <T>(arbitrary: fc.Arbitrary<T>, nulls = 1): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 1, arbitrary }, { weight: nulls, arbitrary: fc.constant(null) })

const newEvent: fc.Arbitrary<NewEvent> = fc
  .record({
    // The generator holds the form of a tag, so the cast is its parser.
    tag: code(8).map((text) => text as Tag),
    data: fc.oneof(fc.json({ maxDepth: 1 }), fc.constant(`"${'ü'.repeat(300)}"`)),
    id: orNull(fc.constantFrom('i1', 'i2', 'i3', 'i4', 'i5', '__proto__', 'constructor'), 2),
    fingerprint: fc.constantFrom('f1', 'f2'),
  })
  .map(({ tag, data, id, fingerprint }) => ({
    tag,
    body: encodeBody('x.model', 'e', { subject: 'key:model' }, data),
    ...(id !== null && { dedupe: { id, fingerprint } }),
  }))

/** The port asks that the ids of one request differ, and its names too, but for what a request may repeat. */
const unique = <T>(arbitrary: fc.Arbitrary<T>, key: (item: T) => string, maxLength: number) =>
  fc.uniqueArray(arbitrary, { selector: key, maxLength })

const commitParts = {
  producer: orNull(
    fc.record({
      id: fc.constantFrom('p', 'q').map((id) => id as ProducerId),
      epoch: fc.integer({ min: 1, max: 3 }),
      seq: fc.integer({ min: 1, max: 9 }),
    }),
    2,
  ),
  guards: unique(fc.record({ field: name, equals: orNull(value) }), (g) => g.field, 2),
  deadlineGuard: fc.constantFrom(
    'none' as const,
    'none' as const,
    'none' as const,
    'current' as const,
    'never' as const,
  ),
  events: unique(newEvent, (event) => event.dedupe?.id ?? event.tag, 4),
  writes: unique(fc.record({ field: name, value: orNull(value) }), (w) => w.field, 3),
  deadlines: unique(
    fc.record({ deadline: fc.constantFrom('d', 'e'), inMs: fc.constantFrom(null, 0, 3_600_000) }),
    (d) => d.deadline,
    2,
  ),
}

const create = orNull(
  code(10).map((text) => text as Epoch),
  4,
)
const commitCommand = fc.record({ ...commitParts, create })
/** Mostly without guards and claims, so that logs grow. */
const plainCommit = fc.record({
  ...commitParts,
  create,
  producer: fc.constant(null),
  guards: fc.constant([]),
  deadlineGuard: fc.constant('none' as const),
})
/** By one of two producers, near each other's seqs: replays, gaps and fences. */
const producingCommit = fc.record({
  ...commitParts,
  create: fc.constant(null),
  guards: fc.constant([]),
  deadlineGuard: fc.constant('none' as const),
  events: fc.array(
    newEvent.map(({ tag, body }) => ({ tag, body })),
    { minLength: 1, maxLength: 3 },
  ),
  producer: fc.record({
    id: fc.constantFrom('p' as ProducerId, 'q' as ProducerId),
    epoch: fc.constantFrom(1, 1, 1, 1, 1, 2),
    seq: fc.integer({ min: 1, max: 8 }),
  }),
})
const limit = fc.constantFrom(1, 2, 3, 1000)

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: onOneSession(commitCommand) },
  { weight: 4, arbitrary: onOneSession(plainCommit) },
  { weight: 5, arbitrary: onOneSession(producingCommit) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('together' as const),
      commits: fc.array(commitCommand, { minLength: 2, maxLength: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      session,
      after: small(12),
      limit,
      maxBytes: fc.constantFrom(1, 400, 1000, 1 << 20),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('trim' as const),
      session,
      maxEvents: orNull(small(5)),
      maxBytes: orNull(fc.constantFrom(0, 300, 1000), 2),
      notAfter: small(20),
      limit,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      session,
      guard: fc.constantFrom('current' as const, 'never' as const, 'none' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('look' as const),
      session,
      fields: fc.uniqueArray(name, { maxLength: 4 }),
    }),
  },
)

function onOneSession(commits: fc.Arbitrary<CommitCommand>): fc.Arbitrary<Command> {
  return fc
    .tuple(session, commits)
    .map(([on, commit]) => ({ kind: 'commit', session: on, ...commit }))
}

/** Begins with two of the three sessions made, so that there is something to do. */
export const commandsOf = (maxLength: number): fc.Arbitrary<Command[]> =>
  fc
    .tuple(
      fc.tuple(makes(0), makes(1)),
      fc.array(command, { minLength: 1, maxLength, size: 'max' }),
    )
    .map(([made, commands]) => [...made, ...commands])

function makes(session: number): fc.Arbitrary<Command> {
  return fc
    .tuple(code(10), plainCommit)
    .map(([epoch, commit]) => ({ kind: 'commit', session, ...commit, create: epoch as Epoch }))
}
