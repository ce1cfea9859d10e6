import type { SQLOutputValue } from 'node:sqlite'
import type { LogHead } from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import { parseEpoch, parseTag, type Epoch, type SessionId, type Tag } from '../../protocol/ids.ts'

/** A row as a statement gives it: what is in it is only known once it was looked at. */
export type Row = Readonly<Record<string, SQLOutputValue>>

/*
 * What a column of a row holds. The tables are strict, so it is of another type only where the file is damaged; then this is loud.
 * Each throws HeldlineError `event_corrupt`.
 */

export function textOf(row: Row, column: string): string {
  const value = row[column]
  return typeof value === 'string' ? value : damaged(column)
}

export function numberOf(row: Row, column: string): number {
  const value = row[column]
  return typeof value === 'number' ? value : damaged(column)
}

export function sessionIdOf(row: Row, column: string): SessionId {
  // Not its parser: the sessions of the server itself have ids that no caller can name.
  return textOf(row, column) as SessionId
}

function epochOf(row: Row, column: string): Epoch {
  return parseEpoch(row[column]) ?? damaged(column)
}

function tagOf(row: Row, column: string): Tag {
  return parseTag(row[column]) ?? damaged(column)
}

/** The columns that the rows of sessions have of their logs. */
export function logHeadOf(row: Row): LogHead {
  return {
    epoch: epochOf(row, 'epoch'),
    head: numberOf(row, 'head'),
    tag: tagOf(row, 'tag'),
    floor: numberOf(row, 'floor'),
    floorTag: tagOf(row, 'floorTag'),
  }
}

/** The values of a row of a statement that gives arrays. */
export function valuesOf(row: Row | readonly SQLOutputValue[]): readonly SQLOutputValue[] {
  return isArray(row) ? row : damaged('(all)')
}

// The one of the language does not tell a read-only array from a row.
const isArray: (row: Row | readonly SQLOutputValue[]) => row is readonly SQLOutputValue[] =
  Array.isArray

function damaged(column: string): never {
  throw new HeldlineError('event_corrupt', `unable to read; the column ${column} is damaged`)
}
