import { HeldlineError } from '../protocol/errors.ts'
import type { Epoch } from '../protocol/ids.ts'
import type { CommitRequest, CommitResult, Committed, KnownId, NewEvent, Store } from './store.ts'

/**
 * A transition decides, from what is known of the record, what to commit; a conflict teaches it what was wrong, and it
 * decides again. Pure: no IO, and it may be asked any number of times.
 * @throws HeldlineError from `decide`: refused, without effect
 */
export interface Transition<Result> {
  /** Fields that must be read before the first decision; others are guessed, and a guard proves the guess. */
  readonly reads?: readonly string[]
  readonly session: CommitRequest['session']
  decide(known: Known): Decision<Result>
}

export type Decision<Result> =
  | {
      readonly commit: Omit<CommitRequest, 'session'>
      readonly answer: (done: Committed) => Result
    }
  | { readonly done: Result }
  /** These fields must be known first, where what was read before names them. */
  | { readonly read: readonly string[] }

/** What the attempts so far have shown. */
export interface Known {
  /** A name that is missing here is not known; `null` is known to be absent. */
  fields: ReadonlyMap<string, string | null>
  deadlines: ReadonlyMap<string, number | null>
  duplicates: ReadonlyMap<string, KnownId>
  /** Serials of the claimed seqs that were accepted before, in order. */
  replayed: readonly (number | null)[]
  epoch: Epoch | null
  exists: boolean
}

const MAX_ATTEMPTS = 8
/** Of what decisions ask for in between: that takes no attempt from those who are overtaken. */
const MAX_READS = 3 * MAX_ATTEMPTS

/**
 * Runs a transition over the store's one commit, deciding again after each conflict, a bounded number of times.
 * @param committed told of the commit, where there was one, and of what it appended
 * @throws HeldlineError `session_not_found`, `producer_fenced`, `producer_gap`, `contention`, what `decide` throws, what the store throws
 */
export async function run<Result>(
  store: Pick<Store, 'commit' | 'fields'>,
  transition: Transition<Result>,
  committed?: (done: Committed, events: readonly NewEvent[]) => void,
): Promise<Result> {
  const known = nothingKnown()
  const { reads = [] } = transition
  if (reads.length > 0) await readFields(store, transition.session, reads, known)
  for (let attempts = 0, reads = 0; attempts < MAX_ATTEMPTS && reads < MAX_READS;) {
    const decision = transition.decide(known)
    if ('done' in decision) return decision.done
    if ('read' in decision) {
      reads++
      await readFields(store, transition.session, decision.read, known)
      continue
    }
    attempts++
    const result = await store.commit({ ...decision.commit, session: transition.session })
    if (result.outcome === 'committed') {
      committed?.(result, decision.commit.events ?? [])
      return decision.answer(result)
    }
    learn(known, result)
  }
  throw new HeldlineError(
    'contention',
    'unable to commit; others changed the same thing each time',
    {
      retryAfterMs: 200,
    },
  )
}

/** Of most commits nothing is ever learnt: they share what is empty. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>()

function nothingKnown(): Known {
  return {
    fields: NONE,
    deadlines: NONE,
    duplicates: NONE,
    replayed: [],
    epoch: null,
    exists: false,
  }
}

async function readFields(
  store: Pick<Store, 'commit' | 'fields'>,
  session: Transition<unknown>['session'],
  names: readonly string[],
  known: Known,
): Promise<void> {
  const fields = await store.fields(session, names)
  if (fields === null) throw sessionNotFound()
  known.fields = new Map([...known.fields, ...fields])
}

function learn(known: Known, result: Exclude<CommitResult, Committed>): void {
  switch (result.outcome) {
    case 'missing':
      throw sessionNotFound()
    case 'exists':
      known.exists = true
      return
    case 'fenced':
      throw new HeldlineError(
        'producer_fenced',
        'unable to append; a newer epoch of this producer has taken over',
        {
          facts: { epoch: result.epoch },
        },
      )
    case 'gap':
      throw new HeldlineError(
        'producer_gap',
        'unable to append; events before this seq are missing',
        {
          facts: { expected: result.expected },
        },
      )
    case 'replayed':
      known.epoch = result.epoch
      // Each attempt claims only what is left, so what it finds accepted comes after what was found before.
      known.replayed = [...known.replayed, ...result.serials]
      return
    case 'duplicate':
      known.epoch = result.epoch
      known.duplicates = new Map([
        ...known.duplicates,
        ...result.known.map((entry) => [entry.id, entry] as const),
      ])
      return
    case 'conflict':
      known.fields = new Map([...known.fields, ...result.fields])
      known.deadlines = new Map([...known.deadlines, ...result.deadlines])
  }
}

export function sessionNotFound(): HeldlineError {
  return new HeldlineError('session_not_found', 'there is no such session')
}
