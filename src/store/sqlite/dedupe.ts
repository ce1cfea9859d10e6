import type { DatabaseSync, StatementSync } from 'node:sqlite'
import {
  DEDUPE_WINDOW_MS,
  type CommitResult,
  type KnownId,
  type NewEvent,
} from '../../core/store.ts'
import { numberOf, textOf } from './columns.ts'
import type { Session } from './sessions.ts'

/** At most so many of those that ran out are cleared with one transaction, or twice as many as it adds. */
const STEP = 256
/** When there is nothing to clear, the next look is so much later. */
const IDLE_MS = 1000

/** The ids by which retries are known, as rows, cleared in small steps once their window is over. */
export class DedupeRows {
  readonly #select: StatementSync
  readonly #replace: StatementSync
  readonly #clear: StatementSync
  #added = 0
  #nextLook = 0

  constructor(db: DatabaseSync) {
    this.#select = db.prepare(
      'SELECT serial, fingerprint, until FROM dedupe WHERE sid = ? AND id = ?',
    )
    // Not an update: the row moves to the end, where those are that run out last.
    this.#replace = db.prepare(`
      INSERT OR REPLACE INTO dedupe (sid, id, serial, fingerprint, until) VALUES (?, ?, ?, ?, ?)`)
    this.#clear = db.prepare(`
      DELETE FROM dedupe
      WHERE rowid IN (SELECT rowid FROM dedupe ORDER BY rowid LIMIT ?) AND until < ?`)
  }

  refuse(session: Session, events: readonly NewEvent[], now: number): CommitResult | null {
    const known: KnownId[] = []
    for (const { dedupe } of events) {
      const row = dedupe && this.#select.get(session.sid, dedupe.id)
      if (dedupe === undefined || row === undefined || numberOf(row, 'until') < now) continue
      const fingerprint = textOf(row, 'fingerprint')
      known.push({ id: dedupe.id, serial: numberOf(row, 'serial'), fingerprint })
    }
    return known.length === 0 ? null : { outcome: 'duplicate', epoch: session.epoch, known }
  }

  remember(session: Session, events: readonly NewEvent[], first: number, now: number): void {
    const until = now + DEDUPE_WINDOW_MS
    for (const [index, { dedupe }] of events.entries()) {
      if (dedupe === undefined) continue
      this.#replace.run(session.sid, dedupe.id, first + index, dedupe.fingerprint, until)
      this.#added++
    }
  }

  /** One bounded step of forgetting; it keeps up with what is added. */
  clearStep(now: number): void {
    if (now < this.#nextLook && now > this.#nextLook - 2 * IDLE_MS) return
    const limit = Math.max(STEP, 2 * this.#added)
    this.#added = 0
    const { changes } = this.#clear.run(limit, now)
    this.#nextLook = Number(changes) < limit ? now + IDLE_MS : 0
  }
}
