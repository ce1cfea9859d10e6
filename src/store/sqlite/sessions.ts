import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { GENESIS_TAG, type Epoch, type SessionId, type Tag } from '../../protocol/ids.ts'
import type { Producer } from '../producer.ts'
import { logHeadOf, numberOf, sessionIdOf, type Row } from './columns.ts'

/** A session as the writer holds it: its row, and what was looked up of its record and its producers. */
export interface Session {
  readonly sid: number
  readonly id: SessionId
  readonly epoch: Epoch
  head: number
  tag: Tag
  floor: number
  floorTag: Tag
  bytes: number
  /** The time of the last event. */
  at: number
  /** Whether the last event was seen to be the head: looked up once. */
  verified: boolean
  readonly producers: Map<string, Producer | undefined>
  /** By their names; `null`: not set. */
  readonly fields: Map<string, string | null>
}

/** How many sessions the writer keeps in memory between commits. */
const MAX_CACHED = 20_000

/**
 * The rows of sessions, with those that were used last in memory: changes are made there and written once a transaction.
 * After a rollback memory is ahead of the file, so all of it is forgotten.
 */
export class Sessions {
  readonly #cache = new Map<SessionId, Session>()
  readonly #changed = new Set<Session>()
  readonly #select: StatementSync
  readonly #insert: StatementSync
  readonly #update: StatementSync
  readonly #delete: StatementSync

  constructor(db: DatabaseSync) {
    this.#select = db.prepare(`
      SELECT sid, id, epoch, head, tag, floor, floor_tag AS floorTag, bytes, at
      FROM sessions WHERE id = ?`)
    this.#insert = db.prepare(`
      INSERT INTO sessions (id, epoch, head, tag, floor, floor_tag, bytes, at)
      VALUES (?, ?, 0, '${GENESIS_TAG}', 0, '${GENESIS_TAG}', 0, 0)`)
    this.#update = db.prepare(`
      UPDATE sessions SET head = ?, tag = ?, floor = ?, floor_tag = ?, bytes = ?, at = ?
      WHERE sid = ?`)
    this.#delete = db.prepare('DELETE FROM sessions WHERE sid = ?')
  }

  find(id: SessionId): Session | undefined {
    const cached = this.#cache.get(id)
    if (cached !== undefined) return cached
    const row = this.#select.get(id)
    if (row === undefined) return undefined
    const session = sessionOf(row)
    this.#cache.set(id, session)
    return session
  }

  create(id: SessionId, epoch: Epoch): Session {
    const session = emptySession(Number(this.#insert.run(id, epoch).lastInsertRowid), id, epoch)
    this.#cache.set(id, session)
    return session
  }

  /** To be told after a change; written by `flush`. */
  changed(session: Session): void {
    this.#changed.add(session)
  }

  remove(session: Session): void {
    this.#delete.run(session.sid)
    this.#cache.delete(session.id)
    this.#changed.delete(session)
  }

  /** Writes what has changed: once before each COMMIT. */
  flush(): void {
    for (const { sid, head, tag, floor, floorTag, bytes, at } of this.#changed) {
      this.#update.run(head, tag, floor, floorTag, bytes, at, sid)
    }
    this.#changed.clear()
  }

  /** After a COMMIT: keeps memory bounded; what goes first came first. */
  evict(): void {
    for (const id of this.#cache.keys()) {
      if (this.#cache.size <= MAX_CACHED) return
      this.#cache.delete(id)
    }
  }

  /** After a rollback. */
  forget(): void {
    this.#cache.clear()
    this.#changed.clear()
  }
}

function sessionOf(row: Row): Session {
  return {
    sid: numberOf(row, 'sid'),
    id: sessionIdOf(row, 'id'),
    ...logHeadOf(row),
    bytes: numberOf(row, 'bytes'),
    at: numberOf(row, 'at'),
    verified: false,
    producers: new Map(),
    fields: new Map(),
  }
}

/** A session that is not in the file: no row has the number 0, so nothing is found for it. */
export function emptySession(sid: number, id: SessionId, epoch: Epoch): Session {
  const start = { head: 0, tag: GENESIS_TAG, floor: 0, floorTag: GENESIS_TAG, bytes: 0, at: 0 }
  return { sid, id, epoch, ...start, verified: true, producers: new Map(), fields: new Map() }
}
