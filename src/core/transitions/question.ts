import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { bytesOf } from '../bytes.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { parseClosed, parseQuestionInfo, QUESTIONS } from './question-record.ts'
import { remember } from './remembered.ts'
import { OPEN_QUESTION, type ClosedQuestion } from './run-questions.ts'
import { claimRun, leaseFrom, parseRunInfo, runText, type RunClaim } from './run-record.ts'
import { eventOf } from './session.ts'

export interface AskRequest {
  readonly session: SessionId
  readonly question: string
  /** The run that waits for the answer; `null`: none does. */
  readonly claim: RunClaim | null
  readonly prompt: string
  /** JSON Schema of the answer. */
  readonly rawSchema: string | null
  readonly rawData: string | null
  readonly expiresInMs: number | null
  readonly nowMs: number
  readonly by: By
  readonly maxOpen: number
  /** Of what those that are open ask together. */
  readonly maxBytes: number
}

export interface Asked {
  readonly created: boolean
  readonly status: 'open' | ClosedQuestion['outcome']
}

/**
 * Asks people something. The run that asks waits, and needs no sign of life meanwhile. [P-11.5]
 * @throws HeldlineError `session_closed`, `session_limit`, `run_not_found`, `run_fenced`, `run_over`, `idempotency_conflict`
 */
export function askQuestion(request: AskRequest, random: Random): Transition<Asked> {
  const { session, question, claim } = request
  const print = printOf(request)
  const reads = [
    FIELD.question(question),
    FIELD.questionInfo(question),
    FIELD.questions,
    FIELD.closed,
    FIELD.recent(QUESTIONS.name),
    ...(claim === null ? [] : runFields(claim.run)),
  ]
  return {
    session,
    reads,
    decide: (known): Decision<Asked> => {
      const before = known.fields.get(FIELD.question(question)) ?? null
      const info = known.fields.get(FIELD.questionInfo(question))
      // It was asked by another way while this one was looking.
      if (before !== null && (info ?? null) === null)
        return { read: [FIELD.questionInfo(question)] }
      if (before !== null) return { done: again(before, info, print) }
      if ((known.fields.get(FIELD.closed) ?? null) !== null) throw sessionClosed('ask')
      const room = roomFor({ id: question, bytes: bytesAsked(request) }, request, known)
      if ('read' in room) return room
      const kept = remember(known, QUESTIONS, [question])
      if ('read' in kept) return kept
      const commit = joinParts(
        kept,
        asked(request, print, room.listed, known, random),
        claim === null ? {} : waits(known, claim, question, request.by, random),
      )
      return { commit, answer: () => ({ created: true, status: 'open' }) }
    },
  }
}

/** What the run's wait for an answer, and the end of that wait, go by. */
export function runFields(run: string): readonly string[] {
  return [FIELD.run(run), FIELD.runInfo(run), FIELD.runQuestions(run)]
}

function asked(
  request: AskRequest,
  print: string,
  listed: readonly Listed[],
  known: Known,
  random: Random,
): Partial<CommitParts> {
  const { question, claim, prompt, rawSchema, rawData, expiresInMs, nowMs } = request
  const run = claim?.run
  const by = run === undefined ? request.by : { ...request.by, run }
  const expiresAt = expiresInMs === null ? undefined : nowMs + expiresInMs
  const raw = { schema: rawSchema, data: rawData }
  const info = withRaw(
    {
      print,
      run: run ?? null,
      prompt,
      by: by.subject,
      askedAt: nowMs,
      expiresAt: expiresAt ?? null,
    },
    raw,
  )
  return {
    guards: [
      { field: FIELD.closed, equals: null },
      { field: FIELD.question(question), equals: null },
      guardOf(known, FIELD.questions),
    ],
    events: [
      rawEventOf('question.asked', withRaw({ question, run, prompt, expiresAt }, raw), by, random),
    ],
    writes: [
      { field: FIELD.question(question), value: OPEN_QUESTION },
      { field: FIELD.questionInfo(question), value: info },
      { field: FIELD.questions, value: JSON.stringify(listed) },
    ],
    deadlines:
      expiresInMs === null ? [] : [{ deadline: DEADLINE.question(question), inMs: expiresInMs }],
  }
}

/** The run waits from now on. */
function waits(
  known: Known,
  claim: RunClaim,
  question: string,
  by: By,
  random: Random,
): Partial<CommitParts> {
  const { run } = claim
  const { field, status, guard } = claimRun(known, claim)
  const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
  const questions = parseList(known.fields.get(FIELD.runQuestions(run)) ?? null)
  const value = runText({ epoch: field.epoch, status: 'waiting', said: false })
  const told = { run, status: 'waiting' }
  return {
    guards: [guard, guardOf(known, FIELD.runQuestions(run))],
    events: status === 'waiting' ? [] : [eventOf('run.status', told, { ...by, run }, random)],
    writes: [
      { field: guard.field, value },
      { field: FIELD.runQuestions(run), value: listText([...questions, question]) },
    ],
    deadlines: [leaseFrom(run, 'waiting', leaseMs)],
  }
}

/** A question as the list of those that were asked last has it. */
interface Listed {
  readonly id: string
  readonly bytes: number
}

/**
 * Room for one more. Where the list seems full, those of it that are over by now are looked for first.
 * @returns the list with it, or what must be read @throws HeldlineError `session_limit`
 */
function roomFor(
  asks: Listed,
  { maxOpen, maxBytes }: AskRequest,
  known: Known,
): { readonly listed: readonly Listed[] } | { readonly read: readonly string[] } {
  const isFull = (all: readonly Listed[]): boolean =>
    all.length > maxOpen || all.reduce((sum, { bytes }) => sum + bytes, 0) > maxBytes
  const text = known.fields.get(FIELD.questions) ?? null
  // The record holds only what is written here.
  const before = text === null ? [] : (JSON.parse(text) as Listed[])
  if (!isFull([...before, asks])) return { listed: [...before, asks] }
  const names = before.map(({ id }) => FIELD.question(id))
  const read = names.filter((name) => !known.fields.has(name))
  if (read.length > 0) return { read }
  const open = before.filter(({ id }) => known.fields.get(FIELD.question(id)) === OPEN_QUESTION)
  if (!isFull([...open, asks])) return { listed: [...open, asks] }
  throw new HeldlineError(
    'session_limit',
    `unable to ask; at most ${maxOpen} questions are open at once, of ${maxBytes} bytes together`,
    { facts: { maxOpen, maxBytes } },
  )
}

function bytesAsked({ prompt, rawSchema, rawData }: AskRequest): number {
  return bytesOf(prompt) + bytesOf(rawSchema ?? '') + bytesOf(rawData ?? '')
}

/** The same question once more: answered with what became of it. */
function again(before: string, info: string | null | undefined, print: string): Asked {
  if (parseQuestionInfo(info).print !== print) {
    throw new HeldlineError(
      'idempotency_conflict',
      'unable to ask; this id was used before for another question',
    )
  }
  return { created: false, status: parseClosed(before)?.outcome ?? 'open' }
}

export function sessionClosed(verb: string): HeldlineError {
  return new HeldlineError('session_closed', `unable to ${verb}; the session is closed`)
}

function printOf({ claim, prompt, rawSchema, rawData, expiresInMs }: AskRequest): string {
  const texts = [claim?.run ?? '', prompt, rawSchema ?? '', rawData ?? '', `${expiresInMs ?? ''}`]
  return fingerprint(...texts)
}
