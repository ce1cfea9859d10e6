import { DatabaseSync } from 'node:sqlite'
import { sql as sessions } from './migrations/001-sessions.ts'

/** In order; the format of a file is the number of those that it has been through. */
const MIGRATIONS: readonly string[] = [sessions]

/** "Held" in ASCII: tells a file of ours from anybody else's. */
const APPLICATION_ID = 0x48656c64

/** Before 3.51.3 two connections that write or checkpoint could corrupt a WAL file. */
const OLDEST_SQLITE = [3, 51, 3] as const

export interface Pragmas {
  readonly synchronous: 'FULL' | 'NORMAL'
}

/**
 * Brings the file to the newest format, forward only, each step in a transaction with its number: a kill in between
 * leaves the step before. Refuses what it does not know rather than guess.
 */
export function prepareFile(path: string, pragmas: Pragmas): void {
  const db = openForWriting(path, pragmas)
  try {
    assertSqlite(db)
    migrate(db)
  } finally {
    db.close()
  }
}

/** The connection of the one writer. */
export function openForWriting(path: string, { synchronous }: Pragmas): DatabaseSync {
  // A wait for another process's lock would hold up every commit: answer soon, the caller tries again.
  const db = new DatabaseSync(path, { timeout: 50 })
  const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode']
  if (mode !== 'wal') throw new Error('unable to open; this file system allows no write-ahead log')
  db.exec(`
    PRAGMA synchronous = ${synchronous};
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 2000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -32768;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
  `)
  return db
}

function assertSqlite(db: DatabaseSync): void {
  const version = String(db.prepare('SELECT sqlite_version() AS version').get()?.['version'])
  const parts = version.split('.').map(Number)
  const difference = OLDEST_SQLITE.map((oldest, index) => (parts[index] ?? 0) - oldest)
  if ((difference.find((part) => part !== 0) ?? 0) < 0) {
    throw new Error(
      `unable to open; SQLite ${version} can corrupt data, use ${OLDEST_SQLITE.join('.')} or later`,
    )
  }
}

function migrate(db: DatabaseSync): void {
  const format = pragma(db, 'user_version')
  const owner = pragma(db, 'application_id')
  if (owner !== APPLICATION_ID && (owner !== 0 || format !== 0)) {
    throw new Error('unable to open; the file belongs to another program')
  }
  if (format > MIGRATIONS.length) {
    throw new Error(
      `unable to open; the data has format ${format} and this version knows up to ${MIGRATIONS.length}, use a newer version`,
    )
  }
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < format) continue
    db.exec(`
      BEGIN IMMEDIATE;
      ${sql}
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${index + 1};
      COMMIT;
    `)
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name])
}
