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

/**
 * What this node saw last of runs that append through it. Mere hints, so that the steady state of an agent that writes reads nothing and moves no
 * deadline: what is decided by them is guarded by the store, or costs nothing where it is wrong.
 */
export class RunHints {
  /** In the order of last use. */
  readonly #hints = new Map<string, RunHint>()

  get(session: SessionId, run: string): RunHint | undefined {
    return this.#hints.get(keyOf(session, run))
  }

  set(session: SessionId, { run }: Pick<RunClaim, 'run'>, hint: RunHint): void {
    const key = keyOf(session, run)
    this.#hints.delete(key)
    this.#hints.set(key, hint)
    if (this.#hints.size <= MAX_HINTS) return
    const [oldest] = this.#hints.keys()
    if (oldest !== undefined) this.#hints.delete(oldest)
  }

  forget(session: SessionId, run: string): void {
    this.#hints.delete(keyOf(session, run))
  }
}

function keyOf(session: SessionId, run: string): string {
  // An id holds no space.
  return `${session} ${run}`
}
