import { DatabaseSync, type StatementSync } from 'node:sqlite'
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
import { decodeHead } from '../../protocol/codec.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId, Tag } from '../../protocol/ids.ts'

interface SessionRow extends LogHead {
  readonly sid: number
  readonly session: SessionId
}

type EventRow = readonly [serial: number, crc: number, text: string]

const SESSION = 'sid, id AS session, epoch, head, tag, floor, floor_tag AS floorTag'

/**
 * The reads, on a connection that cannot write and never checkpoints. They run on the thread that asks: a page is small, and a
 * trip to another thread costs more than it. Casts of rows name the columns of strict tables.
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
      const head = headOf(row)
      const after = Math.max(range.after, head.floor)
      if (after >= head.head) return { ...head, events: [] }
      const rows = this.#rowsOf(row.sid, after, range.limit)
      const events = verified(rows, row, { ...range, after })
      return { ...head, events }
    })
  }

  /**
   * Rows by a few, then by more: a statement's `all` is twice as fast as its `iterate`, and a page that ends early, by its bytes, must
   * not have read a thousand large ones.
   */
  *#rowsOf(sid: number, after: number, limit: number): Iterable<EventRow> {
    let left = limit
    for (let chunk = 32; left > 0; chunk *= 4) {
      const count = Math.min(chunk, left)
      const rows = this.#events.all(sid, after + limit - left, count) as unknown as EventRow[]
      yield* rows
      if (rows.length < count) return
      left -= count
    }
  }

  heads(sessions: readonly SessionId[]): (LogHead | null)[] {
    return this.#snapshot(() =>
      sessions.map((session) => {
        const row = this.#find(session)
        return row === null ? null : headOf(row)
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
      const rows = found.slice(0, limit) as unknown as SessionRow[]
      const sessions = rows.map((row): ListedSession => {
        return { session: row.session, head: headOf(row), fields: this.#fieldsOf(row, fields) }
      })
      return { sessions, cursor: found.length > limit ? (rows.at(-1)?.session ?? null) : null }
    })
  }

  due(now: number, limit: number): DueDeadline[] {
    return (this.#due.all(now, limit) as unknown as DueDeadline[]).map((row) => ({ ...row }))
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
    return (this.#session.get(session) ?? null) as unknown as SessionRow | null
  }

  #fieldsOf({ sid }: SessionRow, names: readonly string[]): Map<string, string | null> {
    return new Map(
      names.map((name) => [name, (this.#field.get(sid, name)?.['value'] ?? null) as string | null]),
    )
  }
}

function headOf({ epoch, head, tag, floor, floorTag }: SessionRow): LogHead {
  return { epoch, head, tag, floor, floorTag }
}

/**
 * The events of a page, as far as they are what was written: checksum, serial, link to the one before. A damaged file is
 * never served as good; the good events before the damage are.
 */
function verified(
  rows: Iterable<EventRow>,
  session: SessionRow,
  { after, maxBytes }: ReadRange,
): StoredEvent[] {
  const events: StoredEvent[] = []
  let bytes = 0
  let before = after === session.floor ? session.floorTag : null
  for (const row of rows) {
    const event = verify(row, { session, serial: after + events.length + 1, before })
    if (event === null) break
    bytes += Buffer.byteLength(event.text)
    if (events.length > 0 && bytes > maxBytes) return events
    events.push(event)
    before = event.tag
  }
  // There is one at least, as the head is above: a page without any has met the damage.
  if (events.length === 0) corrupt(session, after + 1)
  return events
}

interface Place {
  readonly session: SessionRow
  readonly serial: number
  /** The tag of the event before, where it is known. */
  readonly before: Tag | null
}

function verify(
  [found, crc, text]: EventRow,
  { session, serial, before }: Place,
): StoredEvent | null {
  if (found !== serial || crc32(text) !== crc) return null
  const head = decodeHead(text)
  if (head === null || head.serial !== serial) return null
  if (before !== null && head.prev !== before) return null
  if (serial === session.head && head.tag !== session.tag) return null
  return { ...head, text }
}

function corrupt({ session }: SessionRow, serial: number): never {
  throw new HeldlineError('event_corrupt', 'unable to read; an event is damaged or gone', {
    facts: { session, serial },
  })
}
