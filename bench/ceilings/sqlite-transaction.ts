// The ceiling of appends to SQLite: transactions of many rows, each synced to the disk.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface TransactionParams {
  readonly folder: string
  readonly batch: number
  readonly bytesPerEvent: number
  readonly windowMs: number
}

/** @returns events a second */
export function sqliteTransaction(params: TransactionParams): number {
  const { batch, bytesPerEvent, windowMs } = params
  const db = openBare(params.folder)
  const insert = db.prepare(
    'INSERT INTO events (sid, serial, at, crc, text) VALUES (1, ?, 1, 1, ?)',
  )
  const text = 'x'.repeat(bytesPerEvent)
  let serial = 0
  const start = performance.now()
  while (performance.now() - start < windowMs) {
    db.exec('BEGIN IMMEDIATE')
    for (let i = 0; i < batch; i++) insert.run(++serial, text)
    db.exec('COMMIT')
  }
  const seconds = (performance.now() - start) / 1000
  db.close()
  return serial / seconds
}

/** A file with a log and nothing else, as durable as Heldline's. */
export function openBare(folder: string): DatabaseSync {
  const db = new DatabaseSync(join(folder, 'bare.db'))
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;
    DROP TABLE IF EXISTS events;
    CREATE TABLE events (sid INTEGER, serial INTEGER, at INTEGER, crc INTEGER, text TEXT) STRICT;
    CREATE UNIQUE INDEX log ON events (sid, serial);
  `)
  return db
}
