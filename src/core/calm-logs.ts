import type { SessionId } from '../protocol/ids.ts'
import type { Committed } from './store.ts'

/** A bound that another node is given meanwhile is found with the next look. */
const LOOK_EVERY_EVENTS = 512
const LOOK_EVERY_BYTES = 512 * 1024
/** Beyond it all are forgotten, and looked at once more than was needed. */
const MAX_LOGS = 10_000

/** Logs that were found without a bound but their age: the keeper need not look at them again for a while. */
export class CalmLogs {
  readonly #snapshotEvery: number
  readonly #due = new Map<SessionId, Due>()

  /** @param snapshotEvery a snapshot is due when the one that is stored is more events old than this */
  constructor(snapshotEvery: number) {
    this.#snapshotEvery = snapshotEvery
  }

  /** Whether there is nothing to look for yet. */
  has(session: SessionId, { epoch, last, bytes }: Committed): boolean {
    const due = this.#due.get(session)
    return due?.epoch === epoch && last < due.serial && bytes < due.bytes
  }

  /** The log was looked at. @param stored where its snapshot stands */
  add(session: SessionId, { epoch, last, bytes }: Committed, stored: number): void {
    if (this.#due.size >= MAX_LOGS) this.#due.clear()
    const calm = last + LOOK_EVERY_EVENTS
    const snapshot = stored + this.#snapshotEvery + 1
    this.#due.set(session, {
      epoch,
      // One that is due now is being made.
      serial: snapshot > last ? Math.min(calm, snapshot) : calm,
      bytes: bytes + LOOK_EVERY_BYTES,
    })
  }

  delete(session: SessionId): void {
    this.#due.delete(session)
  }
}

/** A log is due at this serial, or at this size. */
interface Due {
  readonly epoch: Committed['epoch']
  readonly serial: number
  readonly bytes: number
}
