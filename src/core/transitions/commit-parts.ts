import type { CommitRequest, DeadlineWrite, FieldWrite, Guard, NewEvent } from '../store.ts'

/** What several nouns bring to one commit. */
export type CommitParts = Required<
  Pick<CommitRequest, 'guards' | 'events' | 'writes' | 'deadlines'>
>

/** In the order given: that is the order of the events in the log. */
export function joinParts(...parts: readonly Partial<CommitParts>[]): CommitParts {
  const guards: Guard[] = []
  const events: NewEvent[] = []
  const writes: FieldWrite[] = []
  const deadlines: DeadlineWrite[] = []
  // By hand: every append of a run comes here, and lists that are flattened cost several times as much.
  for (const part of parts) {
    for (const guard of part.guards ?? NONE) guards.push(guard)
    for (const event of part.events ?? NONE) events.push(event)
    for (const write of part.writes ?? NONE) writes.push(write)
    for (const deadline of part.deadlines ?? NONE) deadlines.push(deadline)
  }
  return { guards, events, writes, deadlines }
}

const NONE: readonly never[] = []

/** A guard that a field is what is known of it, or, where nothing is known, the guess. */
export function guardOf(
  known: { readonly fields: ReadonlyMap<string, string | null> },
  field: string,
  guess: string | null = null,
): { readonly field: string; readonly equals: string | null } {
  const value = known.fields.get(field)
  return { field, equals: value === undefined ? guess : value }
}

/** A list of ids that is kept as one field. Empty, the field is absent. */
export function parseList(text: string | null): readonly string[] {
  // The record holds only what `listText` writes.
  return text === null ? [] : (JSON.parse(text) as string[])
}

export function listText(ids: readonly string[]): string | null {
  return ids.length === 0 ? null : JSON.stringify(ids)
}
