import { HeldlineError } from '../../protocol/errors.ts'
import { withRaw } from '../raw-data.ts'
import { FIELD } from '../record.ts'
import type { Kind } from './remembered.ts'
import { OPEN_QUESTION, type ClosedQuestion } from './run-questions.ts'

/** A question as the record keeps it, which remembers more of them than the view: see `remember`. */
export interface QuestionInfo {
  /** Differs when what was asked differs: the same id with another question is a mistake. */
  readonly print: string
  readonly run: string | null
  readonly prompt: string
  /** The subject that asked. */
  readonly by: string
  readonly askedAt: number
  readonly expiresAt: number | null
  readonly schema?: Readonly<Record<string, unknown>>
  readonly data?: unknown
}

export const QUESTIONS: Kind = {
  name: 'question',
  needs: (id) => [FIELD.question(id)],
  forget: (known, id) => {
    if (known.fields.get(FIELD.question(id)) === OPEN_QUESTION) return null
    return [FIELD.question(id), FIELD.questionInfo(id)]
  },
}

/** @throws HeldlineError `question_not_found` */
export function parseQuestionInfo(text: string | null | undefined): QuestionInfo {
  if (text === null || text === undefined) throw questionNotFound()
  // The record holds only what `askQuestion` writes.
  return JSON.parse(text) as QuestionInfo
}

/** @returns `null` while nobody has answered @throws HeldlineError `question_not_found` */
export function parseClosed(text: string | null | undefined): ClosedQuestion | null {
  if (text === null || text === undefined) throw questionNotFound()
  return text === OPEN_QUESTION ? null : (JSON.parse(text) as ClosedQuestion)
}

export function closedText(
  outcome: ClosedQuestion['outcome'],
  by: string,
  rawAnswer: string | null,
): string {
  return withRaw({ outcome, by }, { answer: rawAnswer })
}

export function questionNotFound(): HeldlineError {
  return new HeldlineError('question_not_found', 'there is no such question')
}
