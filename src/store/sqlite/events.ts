import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { StoredEvent, TrimPolicy, TrimResult } from '../../core/store.ts'
import { decodeHead } from '../../protocol/codec.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import { numberOf, textOf, type Row } from './columns.ts'
import type { Session } from './sessions.ts'

interface OldRow {
  readonly serial: number
  readonly at: number
  readonly size: number
}

/** The log as rows, written: appended at the head, dropped at the floor. */
export class EventRows {
  readonly #insert: StatementSync
  readonly #oldest: StatementSync
  readonly #text: StatementSync
  readonly #last: StatementSync
  readonly #drop: StatementSync

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      'INSERT INTO events (sid, serial, at, crc, text) VALUES (?, ?, ?, ?, ?)',
    )
    this.#oldest = db.prepare(`
      SELECT serial, at, octet_length(text) AS size FROM events
      WHERE sid = ? AND serial > ? ORDER BY serial LIMIT ?`)
    this.#text = db.prepare('SELECT text FROM events WHERE sid = ? AND serial = ?')
    this.#last = db.prepare('SELECT text FROM events WHERE sid = ? ORDER BY serial DESC LIMIT 1')
    this.#drop = db.prepare('DELETE FROM events WHERE sid = ? AND serial <= ?')
  }

  /** That the log ends where its session says: a damaged file must not get a hole by what is added to it. */
  verifyHead(session: Session): void {
    if (session.verified) return
    const row = this.#last.get(session.sid)
    const last = row === undefined ? null : decodeHead(textOf(row, 'text'))
    const [serial, tag] = [last?.serial ?? session.floor, last?.tag ?? session.floorTag]
    if (serial !== session.head || tag !== session.tag) damaged(session, session.head)
    session.verified = true
  }

  append(session: Session, events: readonly StoredEvent[]): void {
    for (const { serial, at, tag, text } of events) {
      this.#insert.run(session.sid, serial, at, crc32(text), text)
      session.bytes += Buffer.byteLength(text)
      session.head = serial
      session.tag = tag
      session.at = at
    }
  }

  /** One look at the oldest rows, one delete: the floor moves by at most `policy.limit`. */
  trim(session: Session, policy: TrimPolicy, now: number): TrimResult {
    const { limit, notAfter } = policy
    const rows = this.#oldest.all(session.sid, session.floor, limit + 1).map(oldRowOf)
    const beyond = beyondPolicy(session, policy, now)
    const wanted = rows.findIndex((row) => row.serial > notAfter || !beyond(row))
    const unwanted = wanted === -1 ? rows.length : wanted
    const trimmed = Math.min(unwanted, limit)
    const last = rows[trimmed - 1]
    if (last !== undefined) {
      session.floorTag = this.#tagOf(session, last.serial)
      session.floor = last.serial
      for (const { size } of rows.slice(0, trimmed)) session.bytes -= size
      this.#drop.run(session.sid, last.serial)
    }
    return { floor: session.floor, trimmed, more: unwanted > limit }
  }

  #tagOf(session: Session, serial: number): Session['tag'] {
    const row = this.#text.get(session.sid, serial)
    const head = row === undefined ? null : decodeHead(textOf(row, 'text'))
    if (head?.serial === serial) return head.tag
    return damaged(session, serial)
  }
}

function oldRowOf(row: Row): OldRow {
  return {
    serial: numberOf(row, 'serial'),
    at: numberOf(row, 'at'),
    size: numberOf(row, 'size'),
  }
}

function damaged(session: Session, serial: number): never {
  throw new HeldlineError('event_corrupt', 'unable to write; an event is damaged or gone', {
    facts: { session: session.id, serial },
  })
}

/** Whether a row is beyond the policy, for rows from the oldest on: it counts what would be left. */
function beyondPolicy(session: Session, policy: TrimPolicy, now: number): (row: OldRow) => boolean {
  const oldest = policy.maxAgeMs === null ? -Infinity : now - policy.maxAgeMs
  let count = session.head - session.floor
  let bytes = session.bytes
  return ({ at, size }) => {
    const beyond =
      (policy.maxEvents !== null && count > policy.maxEvents) ||
      (policy.maxBytes !== null && bytes > policy.maxBytes) ||
      at < oldest
    count--
    bytes -= size
    return beyond
  }
}
