import type { By } from '../../protocol/event.ts'
import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, parseList, type CommitParts } from './commit-parts.ts'
import { eventOf } from './session.ts'

/** What a question's field says while nobody has answered. */
export const OPEN_QUESTION = 'open'

/** What became of a question. */
export interface ClosedQuestion {
  readonly outcome: 'answered' | 'expired' | 'withdrawn'
  readonly by: string
  readonly answer?: unknown
}

/** What its run has still open when it ends, nobody needs to answer any more. */
export function withdrawnQuestions(
  known: Known,
  run: string,
  by: By,
  random: Random,
): Partial<CommitParts> {
  const field = FIELD.runQuestions(run)
  const questions = parseList(known.fields.get(field) ?? null)
  if (questions.length === 0) return { guards: [guardOf(known, field)] }
  const closed = JSON.stringify({ outcome: 'withdrawn', by: by.subject } satisfies ClosedQuestion)
  return {
    guards: [guardOf(known, field)],
    events: questions.map((question) =>
      eventOf('question.answered', { question, run, outcome: 'withdrawn' }, by, random),
    ),
    writes: [
      ...questions.map((id) => ({ field: FIELD.question(id), value: closed })),
      { field, value: null },
    ],
    deadlines: questions.map((id) => ({ deadline: DEADLINE.question(id), inMs: null })),
  }
}
