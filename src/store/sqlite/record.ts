import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type {
  CommitResult,
  DeadlineGuard,
  DeadlineWrite,
  FieldGuard,
  FieldWrite,
  Guard,
} from '../../core/store.ts'
import { numberOf, textOf } from './columns.ts'
import type { Session } from './sessions.ts'

/** How many fields of one session the writer keeps in memory: more than the appends to it are guarded by, time and again. */
const MAX_CACHED = 16
/** A longer value is looked up each time. */
const MAX_CACHED_CHARS = 256

/** The record of a session as rows: fields and deadlines. Fields that guards asked for last are in memory beside their session. */
export class RecordRows {
  readonly #field: StatementSync
  readonly #setField: StatementSync
  readonly #clearField: StatementSync
  readonly #deadline: StatementSync
  readonly #setDeadline: StatementSync
  readonly #clearDeadline: StatementSync
  readonly #clearDeadlines: StatementSync

  constructor(db: DatabaseSync) {
    this.#field = db.prepare('SELECT value FROM fields WHERE sid = ? AND name = ?')
    this.#setField = db.prepare(`
      INSERT INTO fields (sid, name, value) VALUES (?, ?, ?)
      ON CONFLICT (sid, name) DO UPDATE SET value = excluded.value`)
    this.#clearField = db.prepare('DELETE FROM fields WHERE sid = ? AND name = ?')
    this.#deadline = db.prepare('SELECT at FROM deadlines WHERE sid = ? AND name = ?')
    this.#setDeadline = db.prepare(`
      INSERT INTO deadlines (sid, name, at) VALUES (?, ?, ?)
      ON CONFLICT (sid, name) DO UPDATE SET at = excluded.at`)
    this.#clearDeadline = db.prepare('DELETE FROM deadlines WHERE sid = ? AND name = ?')
    this.#clearDeadlines = db.prepare('DELETE FROM deadlines WHERE sid = ?')
  }

  /** The conflict, or `null` when every guard holds. */
  refuse(session: Session, guards: readonly Guard[]): CommitResult | null {
    if (guards.length === 0) return null
    const fields = new Map<string, string | null>()
    const deadlines = new Map<string, number | null>()
    let holds = true
    for (const guard of guards) {
      if ('field' in guard) {
        const value = this.#fieldOf(session, guard.field)
        fields.set(guard.field, value)
        holds &&= value === guard.equals
      } else {
        deadlines.set(guard.deadline, this.#deadlineOf(session, guard.deadline))
        holds &&= this.holds(session, guard)
      }
    }
    return holds ? null : { outcome: 'conflict', fields, deadlines }
  }

  holds(session: Session, guard: DeadlineGuard): boolean {
    return this.#deadlineOf(session, guard.deadline) === guard.at
  }

  holdsField(session: Session, guard: FieldGuard): boolean {
    return this.#fieldOf(session, guard.field) === guard.equals
  }

  #fieldOf(session: Session, name: string): string | null {
    const cached = session.fields.get(name)
    if (cached !== undefined) return cached
    const row = this.#field.get(session.sid, name)
    const value = row === undefined ? null : textOf(row, 'value')
    if (session.fields.size >= MAX_CACHED) session.fields.clear()
    if (isCached(value)) session.fields.set(name, value)
    return value
  }

  #deadlineOf(session: Session, name: string): number | null {
    const row = this.#deadline.get(session.sid, name)
    return row === undefined ? null : numberOf(row, 'at')
  }

  writeFields(session: Session, writes: readonly FieldWrite[]): void {
    for (const { field, value } of writes) {
      if (value === null) this.#clearField.run(session.sid, field)
      else this.#setField.run(session.sid, field, value)
      if (!session.fields.has(field)) continue
      if (isCached(value)) session.fields.set(field, value)
      else session.fields.delete(field)
    }
  }

  writeDeadlines(session: Session, writes: readonly DeadlineWrite[], now: number): void {
    for (const { deadline, inMs } of writes) {
      if (inMs === null) this.#clearDeadline.run(session.sid, deadline)
      else this.#setDeadline.run(session.sid, deadline, now + inMs)
    }
  }

  /** Deadlines go at once, lest `due` looks through those of the dead; fields are cleared later. */
  remove(session: Session): void {
    this.#clearDeadlines.run(session.sid)
  }
}

const isCached = (value: string | null): boolean =>
  value === null || value.length <= MAX_CACHED_CHARS
