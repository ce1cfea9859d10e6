import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { runFields, sessionClosed } from './question.ts'
import { closedText, parseClosed, parseQuestionInfo } from './question-record.ts'
import type { ClosedQuestion } from './run-questions.ts'
import { claimRun, leaseFrom, parseRunInfo, parseRunText, runText } from './run-record.ts'
import { eventOf } from './session.ts'

/** One question, and who has a word about it. */
export interface QuestionWord {
  readonly session: SessionId
  readonly question: string
  readonly by: By
}

/** The fields that every end of a question needs first; its run's are read when it is known which that is. */
const endReads = (question: string): readonly string[] => [
  FIELD.question(question),
  FIELD.questionInfo(question),
]

/**
 * Answers, once. The same subject's same answer again changes nothing. Whether the answer has the form that was asked for is looked at before. [P-11.5]
 * @returns whether this very request did it
 * @throws HeldlineError `question_not_found`, `question_closed`, `session_closed`
 */
export function answerQuestion(
  request: QuestionWord & { readonly rawAnswer: string },
  random: Random,
): Transition<boolean> {
  const { session, question, by, rawAnswer } = request
  return {
    session,
    reads: [...endReads(question), FIELD.closed],
    decide: (known) => {
      const before = parseClosed(known.fields.get(FIELD.question(question)))
      if (before !== null) {
        if (isSame(before, by, rawAnswer)) return { done: false }
        throw questionClosed(before)
      }
      if ((known.fields.get(FIELD.closed) ?? null) !== null) throw sessionClosed('answer')
      const open = { guards: [{ field: FIELD.closed, equals: null }] }
      return end(request, 'answered', rawAnswer, open, known, random)
    },
  }
}

function isSame({ outcome, by, answer }: ClosedQuestion, who: By, rawAnswer: string): boolean {
  if (outcome !== 'answered' || by !== who.subject) return false
  // Spelled in one way: the first may have come with other spaces.
  return JSON.stringify(answer) === JSON.stringify(JSON.parse(rawAnswer))
}

/**
 * Nobody needs to answer any more. What is over stays as it is.
 * @param epoch of the run that asked, where its agent says so
 * @returns what became of the question @throws HeldlineError `question_not_found`, `run_fenced`
 */
export function withdrawQuestion(
  request: QuestionWord & { readonly epoch: number | null },
  random: Random,
): Transition<ClosedQuestion['outcome']> {
  const { session, question, epoch } = request
  return {
    session,
    reads: endReads(question),
    decide: (known) => {
      const before = parseClosed(known.fields.get(FIELD.question(question)))
      if (before !== null) return { done: before.outcome }
      const { run } = parseQuestionInfo(known.fields.get(FIELD.questionInfo(question)))
      const decision = end(request, 'withdrawn', null, {}, known, random)
      if (!('commit' in decision)) return decision
      if (run !== null && epoch !== null) claimRun(known, { run, epoch })
      return { commit: decision.commit, answer: () => 'withdrawn' }
    },
  }
}

/** A question's deadline is due. @param request.at as `due` gave it: it fires once, whichever nodes look */
export function questionDue(
  request: { readonly session: SessionId; readonly question: string; readonly at: number },
  random: Random,
): Transition<boolean> {
  const { session, question, at } = request
  const deadline = DEADLINE.question(question)
  const field = FIELD.question(question)
  const guards = [{ deadline, at }]
  return {
    session,
    reads: endReads(question),
    decide: (known) => {
      if (known.deadlines.has(deadline) && known.deadlines.get(deadline) !== at) {
        return { done: false }
      }
      const text = known.fields.get(field) ?? null
      if (text === null || parseClosed(text) !== null) {
        const commit = {
          guards: [...guards, guardOf(known, field)],
          deadlines: [{ deadline, inMs: null }],
        }
        return { commit, answer: () => false }
      }
      const word = { session, question, by: { subject: 'server' } }
      return end(word, 'expired', null, { guards }, known, random)
    },
  }
}

/** The end of an open question: what became of it, and, where it was the last that its run had open, the run goes on. */
function end(
  { question, by }: QuestionWord,
  outcome: ClosedQuestion['outcome'],
  rawAnswer: string | null,
  more: Partial<CommitParts>,
  known: Known,
  random: Random,
): Exclude<Decision<true>, { readonly done: unknown }> {
  const field = FIELD.question(question)
  const { run } = parseQuestionInfo(known.fields.get(FIELD.questionInfo(question)))
  const missing = run === null ? [] : runFields(run).filter((name) => !known.fields.has(name))
  if (missing.length > 0) return { read: missing }
  const data = withRaw({ question, run: run ?? undefined, outcome }, { answer: rawAnswer })
  const own: Partial<CommitParts> = {
    guards: [guardOf(known, field)],
    events: [rawEventOf('question.answered', data, by, random)],
    writes: [{ field, value: closedText(outcome, by.subject, rawAnswer) }],
    deadlines: [{ deadline: DEADLINE.question(question), inMs: null }],
  }
  const goesOn = run === null ? {} : resumes(known, run, question, by, random)
  return { commit: joinParts(more, own, goesOn), answer: () => true }
}

/** The run whose last open question this was waits no more; one that does not wait stays what it is. */
function resumes(
  known: Known,
  run: string,
  question: string,
  by: By,
  random: Random,
): Partial<CommitParts> {
  const asks = FIELD.runQuestions(run)
  const left = parseList(known.fields.get(asks) ?? null).filter((id) => id !== question)
  const kept: CommitParts = {
    guards: [guardOf(known, asks), guardOf(known, FIELD.run(run))],
    events: [],
    writes: [{ field: asks, value: listText(left) }],
    deadlines: [],
  }
  const { epoch, status } = parseRunText(known.fields.get(FIELD.run(run)) ?? '')
  if (left.length > 0 || status !== 'waiting') return kept
  const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
  const data = { run, epoch, reason: 'answered' }
  return joinParts(kept, {
    events: [eventOf('run.resumed', data, { ...by, run }, random)],
    writes: [{ field: FIELD.run(run), value: runText({ epoch, status: 'thinking', said: false }) }],
    deadlines: [leaseFrom(run, 'thinking', leaseMs)],
  })
}

export function questionClosed({ outcome, by }: ClosedQuestion): HeldlineError {
  return new HeldlineError('question_closed', `unable to answer; the question is ${outcome}`, {
    facts: { outcome, by },
  })
}
