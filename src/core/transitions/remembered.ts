import type { Known } from '../commit.ts'
import { FIELD } from '../record.ts'
import type { FieldGuard, FieldWrite } from '../store.ts'
import { guardOf, parseList, type CommitParts } from './commit-parts.ts'

/** So many of a kind are remembered at least, counted by when they came; and all that are not over. [P-10.1] [P-11.1] [P-11.5] [P-15.4] */
export const REMEMBERED = 1000
/** They are forgotten a page at a time: one commit in so many does the work of all. */
export const REMEMBERED_PAGE = 50
const PAGES = REMEMBERED / REMEMBERED_PAGE

/** What a session remembers by its record, of each kind the latest. */
export interface Kind {
  readonly name: 'run' | 'input' | 'question' | 'delivery'
  /** The fields that say whether one is over. */
  needs(id: string): readonly string[]
  /** What is removed with one; `null`: it is not over. All that it needs is known. */
  forget(known: Known, id: string): readonly string[] | null
}

/** The page that is being filled, and its number; the pages before it are fields of their own. */
interface Head {
  readonly page: number
  readonly ids: readonly string[]
}

/**
 * What came is remembered; where a page is full by that, those of the oldest page are forgotten that are over, and the others take a new place. So a
 * record does not grow with its session's age, and a commit never does more than two pages' work.
 * @returns what this adds to the commit that makes it, or what must be read first
 */
export function remember(
  known: Known,
  kind: Kind,
  ...came: readonly string[]
): Pick<CommitParts, 'guards' | 'writes'> | { readonly read: readonly string[] } {
  const field = FIELD.recent(kind.name)
  const { page, ids } = parseHead(known.fields.get(field) ?? null)
  const guards = [guardOf(known, field)]
  const headWrite = (head: Head): FieldWrite => ({ field, value: JSON.stringify(head) })
  if (ids.length < REMEMBERED_PAGE) {
    return { guards, writes: [headWrite({ page, ids: [...ids, ...came] })] }
  }
  const oldest = forgetPage(known, kind, page - PAGES)
  if ('read' in oldest) return oldest
  const full = { field: FIELD.recentPage(kind.name, page), value: JSON.stringify(ids) }
  return {
    guards: [...guards, ...oldest.guards],
    writes: [...oldest.writes, full, headWrite({ page: page + 1, ids: [...oldest.stay, ...came] })],
  }
}

interface ForgottenPage {
  readonly guards: readonly FieldGuard[]
  readonly writes: readonly FieldWrite[]
  /** Those that are not over. */
  readonly stay: readonly string[]
}

function forgetPage(
  known: Known,
  kind: Kind,
  page: number,
): ForgottenPage | { readonly read: readonly string[] } {
  if (page < 0) return { guards: [], writes: [], stay: [] }
  const field = FIELD.recentPage(kind.name, page)
  if (!known.fields.has(field)) return { read: [field] }
  const ids = parseList(known.fields.get(field) ?? null)
  const needs = [...new Set(ids.flatMap((id) => kind.needs(id)))]
  const read = needs.filter((name) => !known.fields.has(name))
  if (read.length > 0) return { read }
  const gone = ids.map((id) => kind.forget(known, id))
  return {
    // Somebody may take up one of them right now: a lost run can be adopted.
    guards: needs.map((name) => guardOf(known, name)),
    writes: [
      ...gone.flatMap((names) => (names ?? []).map((name) => ({ field: name, value: null }))),
      { field, value: null },
    ],
    stay: ids.filter((_, index) => gone[index] === null),
  }
}

function parseHead(text: string | null): Head {
  // The record holds only what `remember` writes.
  return text === null ? { page: 0, ids: [] } : (JSON.parse(text) as Head)
}
