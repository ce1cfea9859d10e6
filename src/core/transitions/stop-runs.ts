import type { By } from '../../protocol/event.ts'
import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import { joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { endParts, type Ending } from './run-end.ts'

/** The end of several runs in one commit. Each of them alone would leave the others in the list of those that live. All of `endReads` must be known. */
export function stopRuns(
  known: Known,
  runs: readonly string[],
  ending: Extract<Ending, { status: 'cancelled' }>,
  by: By,
  random: Random,
): Partial<CommitParts> {
  if (runs.length === 0) return {}
  const ends = joinParts(...runs.map((run) => endParts(known, run, ending, by, random)))
  const live = parseList(known.fields.get(FIELD.live) ?? null)
  const left = listText(live.filter((id) => !runs.includes(id)))
  const others = ends.writes.filter(({ field }) => field !== FIELD.live)
  return { ...ends, writes: [...others, { field: FIELD.live, value: left }] }
}
