import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Session } from './sessions.ts'

/** So many rows of each kind are cleared in one step. */
const STEP = 500
const TABLES = ['events', 'fields', 'producers', 'dedupe'] as const

/** The rows of removed sessions: nobody finds them, and they are cleared in steps that hold nobody up for long. */
export class Leftovers {
  readonly #add: StatementSync
  readonly #next: StatementSync
  readonly #done: StatementSync
  readonly #clear: readonly StatementSync[]
  /** Whether there may be any; at the start there may, from the process before. */
  #any = true

  constructor(db: DatabaseSync) {
    this.#add = db.prepare('INSERT INTO leftovers (sid) VALUES (?)')
    this.#next = db.prepare('SELECT sid FROM leftovers LIMIT 1')
    this.#done = db.prepare('DELETE FROM leftovers WHERE sid = ?')
    this.#clear = TABLES.map((table) =>
      db.prepare(`
        DELETE FROM ${table}
        WHERE rowid IN (SELECT rowid FROM ${table} WHERE sid = ? LIMIT ${STEP})`),
    )
  }

  get any(): boolean {
    return this.#any
  }

  add(session: Session): void {
    this.#add.run(session.sid)
    this.#any = true
  }

  /** One bounded step, within a transaction. */
  clearStep(): void {
    const sid = this.#next.get()?.['sid']
    if (sid === undefined) {
      this.#any = false
      return
    }
    const cleared = this.#clear.map((statement) => Number(statement.run(sid).changes))
    if (cleared.every((rows) => rows < STEP)) this.#done.run(sid)
  }
}
