import type { WireEvent } from '../event.ts'
import type { InputMode, InputReceived, QuestionAnswered, QuestionAsked } from '../input-events.ts'
import { keepLatest } from './keep-latest.ts'
import type { View } from './view.ts'

/** An input that waits for an agent. Once it is delivered or over it leaves the view; the log keeps it. */
export interface Input {
  readonly id: string
  readonly mode: InputMode
  readonly run: string | null
  readonly message: string | null
  /** Where it names one: that of its message, or the message that is to be answered. [P-16.5] */
  readonly parent?: string | null
  readonly data: unknown
  readonly expiresAt: number | null
  readonly by: string
  readonly at: number
  readonly serial: number
}

export interface Question {
  readonly id: string
  readonly run: string | null
  readonly prompt: string
  readonly schema: Readonly<Record<string, unknown>> | null
  readonly data: unknown
  readonly expiresAt: number | null
  readonly status: 'open' | QuestionAnswered['outcome']
  readonly answer: unknown
  /** The subject that answered. */
  readonly answeredBy: string | null
  readonly askedAt: number
  readonly serial: number
}

const ANSWERED_QUESTIONS = 50

/** The data makes sense, so the casts here only name its shape. */
export function foldInput(view: View, event: WireEvent): void {
  const data = event.data as InputReceived
  if (event.type === 'input.delivered' || event.type === 'input.expired') {
    view.inputs.delete(data.input)
  }
  if (event.type !== 'input.received') return
  view.inputs.set(data.input, {
    id: data.input,
    mode: data.mode,
    run: data.run ?? null,
    message: data.message ?? null,
    ...(data.parent !== undefined && { parent: data.parent }),
    data: data.data ?? null,
    expiresAt: data.expiresAt ?? null,
    by: event.by.subject,
    at: event.at,
    serial: event.serial,
  })
}

export function foldQuestion(view: View, event: WireEvent): void {
  if (event.type === 'question.asked') {
    view.questions.set((event.data as QuestionAsked).question, asked(event))
    return
  }
  const { question: id, outcome, answer } = event.data as QuestionAnswered
  const question = view.questions.get(id)
  if (question?.status !== 'open') return
  view.questions.set(id, {
    ...question,
    status: outcome,
    answer: answer ?? null,
    answeredBy: outcome === 'answered' ? event.by.subject : null,
    serial: event.serial,
  })
  keepLatest(view.questions, ANSWERED_QUESTIONS, ({ status }) => status !== 'open')
}

function asked(event: WireEvent): Question {
  const data = event.data as QuestionAsked
  return {
    id: data.question,
    run: data.run ?? null,
    prompt: data.prompt,
    schema: data.schema ?? null,
    data: data.data ?? null,
    expiresAt: data.expiresAt ?? null,
    status: 'open',
    answer: null,
    answeredBy: null,
    askedAt: event.at,
    serial: event.serial,
  }
}
