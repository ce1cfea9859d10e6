import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type {
  DueDeadline,
  ListedSession,
  ListPage,
  ListQuery,
  LogHead,
  Page,
  ReadRange,
  StoredEvent,
} from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import { GENESIS_TAG, type SessionId, type Tag } from '../../protocol/ids.ts'
import { logHeadOf, numberOf, sessionIdOf, textOf, valuesOf, type Row } from './columns.ts'

interface SessionRow {
  readonly sid: number
  readonly session: SessionId
  readonly log: LogHead
}

const SESSION = 'sid, id AS session, epoch, head, tag, floor, floor_tag AS floorTag'

/**
 * The reads, on a connection that cannot write and never checkpoints. They run on the thread that asks: a page is small, and a
 * trip to another thread costs more than it.
 */
export class Reader {
  readonly #db: DatabaseSync
  readonly #begin: StatementSync
  readonly #end: StatementSync
  readonly #session: StatementSync
  readonly #events: StatementSync
  readonly #field: StatementSync
  readonly #list: StatementSync
  readonly #due: StatementSync

  constructor(file: string) {
    const db = new DatabaseSync(file, { readOnly: true, timeout: 50 })
    db.exec('PRAGMA cache_size = -16384; PRAGMA mmap_size = 0')
    this.#db = db
    this.#begin = db.prepare('BEGIN')
    this.#end = db.prepare('COMMIT')
    this.#session = db.prepare(`SELECT ${SESSION} FROM sessions WHERE id = ?`)
    this.#events = db.prepare(`
      SELECT serial, crc, text FROM events WHERE sid = ? AND serial > ? ORDER BY serial LIMIT ?`)
    this.#events.setReturnArrays(true)
    this.#field = db.prepare('SELECT value FROM fields WHERE sid = ? AND name = ?')
    // Ids are ASCII below DEL, so the prefix with DEL is above every id that begins with it.
    this.#list = db.prepare(`
      SELECT ${SESSION} FROM sessions
      WHERE id > ? AND id >= ? AND id < ? || char(127) ORDER BY id LIMIT ?`)
    this.#due = db.prepare(`
      SELECT s.id AS session, d.name AS deadline, d.at AS at
      FROM deadlines d JOIN sessions s ON s.sid = d.sid
      WHERE d.at <= ? ORDER BY d.at LIMIT ?`)
  }

  read(session: SessionId, range: ReadRange): Page | null {
    return this.#snapshot(() => {
      const row = this.#find(session)
      if (row === null) return null
      const head = row.log
      const after = Math.max(range.after, head.floor)
      if (after >= head.head) return { ...head, events: [] }
      return { ...head, events: this.#eventsOf(row, { ...range, after }) }
    })
  }

  /**
   * The events after one, as far as they are what was written: a damaged file is never served as good; the good events before the damage are.
   *
   * Rows by a few, then by more: a statement's `all` is twice as fast as its `iterate`, and a page that ends early, by its bytes, must
   * not have read a thousand large ones.
   */
  #eventsOf(session: SessionRow, { after, limit, maxBytes }: ReadRange): StoredEvent[] {
    const events: StoredEvent[] = []
    let bytes = 0
    let before = after === session.log.floor ? session.log.floorTag : null
    for (let chunk = 32; events.length < limit; chunk *= 4) {
      const count = Math.min(chunk, limit - events.length)
      const rows = this.#events.all(session.sid, after + events.length, count)
      for (const row of rows) {
        const event = verify(valuesOf(row), session, after + events.length + 1, before)
        if (event === null) return intact(events, session, after)
        bytes += Buffer.byteLength(event.text)
        if (events.length > 0 && bytes > maxBytes) return events
        events.push(event)
        before = event.tag
      }
      if (rows.length < count) break
    }
    return intact(events, session, after)
  }

  heads(sessions: readonly SessionId[]): (LogHead | null)[] {
    return this.#snapshot(() =>
      sessions.map((session) => {
        const row = this.#find(session)
        return row === null ? null : row.log
      }),
    )
  }

  fields(session: SessionId, names: readonly string[]): Map<string, string | null> | null {
    return this.#snapshot(() => {
      const row = this.#find(session)
      return row === null ? null : this.#fieldsOf(row, names)
    })
  }

  list({ cursor, limit, prefix, fields }: ListQuery): ListPage {
    return this.#snapshot(() => {
      const found = this.#list.all(cursor ?? '', prefix, prefix, limit + 1)
      const rows = found.slice(0, limit).map(sessionOf)
      const sessions = rows.map((row): ListedSession => {
        return { session: row.session, head: row.log, fields: this.#fieldsOf(row, fields) }
      })
      return { sessions, cursor: found.length > limit ? (rows.at(-1)?.session ?? null) : null }
    })
  }

  due(now: number, limit: number): DueDeadline[] {
    return this.#due.all(now, limit).map((row) => {
      const session = sessionIdOf(row, 'session')
      return { session, deadline: textOf(row, 'deadline'), at: numberOf(row, 'at') }
    })
  }

  close(): void {
    this.#db.close()
  }

  /** Several statements, one moment of the file. */
  #snapshot<T>(work: () => T): T {
    this.#begin.run()
    try {
      return work()
    } finally {
      this.#end.run()
    }
  }

  #find(session: SessionId): SessionRow | null {
    const row = this.#session.get(session)
    return row === undefined ? null : sessionOf(row)
  }

  #fieldsOf({ sid }: SessionRow, names: readonly string[]): Map<string, string | null> {
    return new Map(
      names.map((name) => {
        const row = this.#field.get(sid, name)
        return [name, row === undefined ? null : textOf(row, 'value')]
      }),
    )
  }
}

function sessionOf(row: Row): SessionRow {
  return {
    sid: numberOf(row, 'sid'),
    session: sessionIdOf(row, 'session'),
    log: logHeadOf(row),
  }
}

/** There is an event at least, as the head is above: a page without any has met the damage. */
function intact(events: StoredEvent[], { session }: SessionRow, after: number): StoredEvent[] {
  if (events.length > 0) return events
  throw new HeldlineError('event_corrupt', 'unable to read; an event is damaged or gone', {
    facts: { session, serial: after + 1 },
  })
}

/** The event of a row, if it is the one that was written there: serial, checksum, and the link to the one before where that is known. */
function verify(
  [found, crc, text]: readonly SQLOutputValue[],
  session: SessionRow,
  serial: number,
  before: Tag | null,
): StoredEvent | null {
  const intact = typeof text === 'string' && found === serial && crc32(text) === crc
  const event = intact ? eventAt(serial, text) : null
  if (event === null || (before !== null && event.prev !== before)) return null
  return serial === session.log.head && event.tag !== session.log.tag ? null : event
}

/** The text has passed its checksum: its head has the form that `encodeEvent` gives it, and only the serial can be another. */
function eventAt(serial: number, text: string): StoredEvent | null {
  const start = `{"serial":${serial},"tag":"`
  if (!text.startsWith(start)) return null
  const tag = start.length
  const prev = tag + TAG_LENGTH + '","prev":"'.length
  const at = prev + TAG_LENGTH + '","at":'.length
  return {
    serial,
    tag: text.slice(tag, tag + TAG_LENGTH) as Tag,
    prev: text.slice(prev, prev + TAG_LENGTH) as Tag,
    at: Number(text.slice(at, text.indexOf(',', at))),
    text,
  }
}

const TAG_LENGTH = GENESIS_TAG.length
