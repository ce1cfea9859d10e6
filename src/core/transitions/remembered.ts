import type { Known } from '../commit.ts'
import { FIELD } from '../record.ts'
import type { FieldGuard, FieldWrite } from '../store.ts'
import { guardOf, parseList, type CommitParts } from './commit-parts.ts'

/** So many of a kind are remembered at least, counted by when they came; and all that are not over. [P-10.1] [P-11.1] [P-11.5] [P-15.4] */
export const REMEMBERED = 1000
/** They are forgotten a page at a time: one commit in so many does the work of all. */
export const REMEMBERED_PAGE = 50
/** More than what of a kind is not over at once, and takes places of the latest: at most 100 pending deliveries and 50 that failed. */
const NOT_OVER = 200
export const REMEMBERED_PAGES = (REMEMBERED + NOT_OVER) / REMEMBERED_PAGE

/** What a session remembers by its record, of each kind the latest. */
export interface Kind {
  readonly name: 'run' | 'input' | 'question' | 'delivery'
  /** The fields that say whether one is over. */
  needs(id: string): readonly string[]
  /** What is removed with one; `null`: it is not over. All that it needs is known. */
  forget(known: Known, id: string): readonly string[] | null
  /** Of one that is forgotten: whoever takes its id later has a higher one. */
  epochOf?(known: Known, id: string): number
}

/** The page that is being filled, and its number; the pages before it are fields of their own. */
interface Head {
  readonly page: number
  readonly ids: readonly string[]
  /** Higher than that of any that was forgotten. */
  readonly epoch: number
}

/** What one that comes adds to the commit that makes it. */
export interface Remembered extends Pick<CommitParts, 'guards' | 'writes'> {
  /** What this commit writes of the page that is being filled. */
  readonly head: string
  /** No word about an earlier one with the same id is about one with this epoch. */
  readonly epoch: number
}

/**
 * What came is remembered; where a page is full by that, those of the oldest page are forgotten that are over, and the others take a new place. So a
 * record does not grow with its session's age, and a commit never does more than two pages' work.
 * @param guess the page that is being filled, where the record was not asked for it
 * @returns what this adds to the commit that makes it, or what must be read first
 */
export function remember(
  known: Known,
  kind: Kind,
  came: readonly string[],
  guess: string | null = null,
): Remembered | { readonly read: readonly string[] } {
  const guard = guardOf(known, FIELD.recent(kind.name), guess)
  const { page, ids, epoch } = parseHead(guard.equals)
  if (ids.length < REMEMBERED_PAGE) {
    return withHead(guard, { page, ids: [...ids, ...came], epoch }, { guards: [], writes: [] })
  }
  const oldest = forgetPage(known, kind, page - REMEMBERED_PAGES)
  if ('read' in oldest) return oldest
  const { guards, writes, stay } = oldest
  const full = { field: FIELD.recentPage(kind.name, page), value: JSON.stringify(ids) }
  const head = { page: page + 1, ids: [...stay, ...came], epoch: Math.max(epoch, oldest.epoch) }
  return withHead(guard, head, { guards, writes: [...writes, full] })
}

function withHead(
  guard: FieldGuard,
  { page, ids, epoch }: Head,
  { guards, writes }: Pick<CommitParts, 'guards' | 'writes'>,
): Remembered {
  const head = JSON.stringify({ page, ids, ...(epoch > 1 && { epoch }) })
  return {
    guards: [guard, ...guards],
    writes: [...writes, { field: guard.field, value: head }],
    head,
    epoch,
  }
}

interface ForgottenPage {
  readonly guards: readonly FieldGuard[]
  readonly writes: readonly FieldWrite[]
  /** Those that are not over. */
  readonly stay: readonly string[]
  /** Higher than that of any of those that are. */
  readonly epoch: number
}

function forgetPage(
  known: Known,
  kind: Kind,
  page: number,
): ForgottenPage | { readonly read: readonly string[] } {
  if (page < 0) return { guards: [], writes: [], stay: [], epoch: 1 }
  const field = FIELD.recentPage(kind.name, page)
  if (!known.fields.has(field)) return { read: [field] }
  const ids = parseList(known.fields.get(field) ?? null)
  const needs = [...new Set(ids.flatMap((id) => kind.needs(id)))]
  const read = needs.filter((name) => !known.fields.has(name))
  if (read.length > 0) return { read }
  const gone = ids.map((id) => kind.forget(known, id))
  const over = ids.filter((_, index) => gone[index] !== null)
  return {
    // Somebody may take up one of them right now: a lost run can be adopted.
    guards: needs.map((name) => guardOf(known, name)),
    writes: [
      ...gone.flatMap((names) => (names ?? []).map((name) => ({ field: name, value: null }))),
      { field, value: null },
    ],
    stay: ids.filter((_, index) => gone[index] === null),
    epoch: Math.max(0, ...over.map((id) => kind.epochOf?.(known, id) ?? 0)) + 1,
  }
}

function parseHead(text: string | null): Head {
  // The record holds only what `remember` writes.
  const { page = 0, ids = [], epoch = 1 } = JSON.parse(text ?? '{}') as Partial<Head>
  return { page, ids, epoch }
}
