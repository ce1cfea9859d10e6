/**
 * Format 1. A migration that was released is never edited: the next change is the next file.
 *
 * Sessions have a number within the file, which is never used again: rows of a removed session are invisible at once and
 * cleared in small steps. Rowid tables with an index take inserts at their end, which is faster than WITHOUT ROWID.
 */
export const sql = `
CREATE TABLE sessions (
  sid INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  epoch TEXT NOT NULL,
  head INTEGER NOT NULL,
  tag TEXT NOT NULL,
  floor INTEGER NOT NULL,
  floor_tag TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE events (
  sid INTEGER NOT NULL,
  serial INTEGER NOT NULL,
  at INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_serial ON events (sid, serial);

CREATE TABLE fields (
  sid INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX fields_by_name ON fields (sid, name);

CREATE TABLE deadlines (
  sid INTEGER NOT NULL,
  name TEXT NOT NULL,
  at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX deadlines_by_name ON deadlines (sid, name);
CREATE INDEX deadlines_by_time ON deadlines (at);

CREATE TABLE producers (
  sid INTEGER NOT NULL,
  id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  last INTEGER NOT NULL,
  commits TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX producers_by_id ON producers (sid, id);

-- In the order of their rowids, which is the order in which they run out.
CREATE TABLE dedupe (
  sid INTEGER NOT NULL,
  id TEXT NOT NULL,
  serial INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  until INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX dedupe_by_id ON dedupe (sid, id);

-- Numbers of removed sessions whose rows are still to be cleared.
CREATE TABLE leftovers (
  sid INTEGER PRIMARY KEY
) STRICT;
`
