import type { SessionId } from '../protocol/ids.ts'
import type { RunClaim, RunField } from './transitions/run-record.ts'

export interface RunHint {
  readonly leaseMs: number
  /** What the run was, in the hands of the epoch that it names. */
  readonly field: RunField
  /** When this node put its lease off last, by this node's clock. */
  readonly putOffAt: number
}

const MAX_HINTS = 10_000
/** A page of ids each. */
const MAX_LATEST = 2000

/**
 * What this node saw last of runs that append through it. Mere hints, so that the steady state of an agent that writes reads nothing and moves no
 * deadline: what is decided by them is guarded by the store, or costs nothing where it is wrong.
 */
export class RunHints {
  /** In the order in which they were noted last: a run in use puts its lease off time and again, and is noted anew. */
  readonly #hints = new Map<string, RunHint>()
  readonly #latest = new Map<SessionId, string>()

  get(session: SessionId, run: string): RunHint | undefined {
    return this.#hints.get(keyOf(session, run))
  }

  set(session: SessionId, { run }: Pick<RunClaim, 'run'>, hint: RunHint): void {
    setLast(this.#hints, keyOf(session, run), hint, MAX_HINTS)
  }

  forget(session: SessionId, run: string): void {
    this.#hints.delete(keyOf(session, run))
  }

  /** What the last start of a run in the session wrote of those that came last: see `remember`. `null`: it is not known. */
  latest(session: SessionId): string | null {
    return this.#latest.get(session) ?? null
  }

  setLatest(session: SessionId, text: string): void {
    setLast(this.#latest, session, text, MAX_LATEST)
  }
}

function setLast<Key, Value>(all: Map<Key, Value>, key: Key, value: Value, max: number): void {
  all.delete(key)
  all.set(key, value)
  if (all.size <= max) return
  const [oldest] = all.keys()
  if (oldest !== undefined) all.delete(oldest)
}

function keyOf(session: SessionId, run: string): string {
  // An id holds no space.
  return `${session} ${run}`
}
