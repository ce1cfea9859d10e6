import { hash } from 'node:crypto'
import { HeldlineError } from '../../protocol/errors.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import type { View } from '../../protocol/fold/view.ts'
import type { ChatRequest, UiMessageIn } from '../../protocol/http-ai-sdk.ts'
import { partSchema, type Part } from '../../protocol/messages.ts'
import { ID_PATTERN } from '../../protocol/ids.ts'
import { uiPath } from '../../protocol/formats/ui-answer.ts'
import { answersTo, noSuchAnswer, resultsOf, type QuestionAnswer } from './tool-results.ts'

/** People did something with the tools of an answer, which goes on with it. */
export interface GoOn {
  /** Whose answer it is. */
  readonly run: string
  /** The answer as it is. */
  readonly before: Message
  /** The questions of the run that are answered by it. */
  readonly answers: readonly QuestionAnswer[]
  /** Where the run is over and what was done is news: what has another one go on. */
  readonly ask: Ask | null
}

/** What it means here: an input. Made of the request alone, so that the same request is the same input. [P-18.2] [P-18.3] */
export interface Ask {
  readonly input: string
  readonly rawParts: string | null
  readonly rawData: string | null
  /** The message that it follows; `undefined`: the latest. */
  readonly parent?: string | null
}

/** @param view of the session; `null`: it is not there yet @throws HeldlineError `invalid_request`, `message_not_found` */
export function askOf(request: ChatRequest, view: View | null): Ask {
  const last = request.messages.at(-1)
  if (last?.role !== 'user') {
    throw new HeldlineError('invalid_request', 'unable to go on; the last message is nobody’s')
  }
  if (!ID_PATTERN.test(last.id)) {
    throw new HeldlineError(
      'invalid_request',
      'unable to go on; the message id does not have the form',
    )
  }
  if (request.trigger === 'regenerate-message') return again(request, last, view)
  const rawParts = partsOf(last)
  const rawData = dataOf(request, last)
  const said = view?.messages.get(last.id)
  if (said === undefined || request.messageId !== last.id)
    return { input: last.id, rawParts, rawData }
  const { parent } = said
  if (JSON.stringify(said.parts) !== rawParts)
    return { input: editOf(last.id, rawParts), rawParts, rawData, parent }
  // In the same words it is what was said already: sent once more, as it was sent then.
  return { input: last.id, rawParts, rawData, ...(EDIT.test(last.id) && { parent }) }
}

/** @returns `null`: the last message is not an answer @throws HeldlineError `message_not_found` where it is none of this session's runs */
export function goOnOf(request: ChatRequest, view: View | null): GoOn | null {
  const last = request.messages.at(-1)
  if (last?.role !== 'assistant') return null
  // Other runs may have gone on with it: it is whole, and its run the last of them.
  const before = view && uiPath(view, last.id).find(({ id }) => id === last.id)
  const run = before?.run
  if (view === null || !before || run === undefined) throw noSuchAnswer()
  const results = resultsOf(last.parts, before)
  const answers = answersTo(view.questions.values(), run, results)
  const status = view.runs.get(run)?.status
  const isLive = status !== undefined && !isOver(status)
  if (isLive || answers.length > 0 || results.length === 0)
    return { run, before, answers, ask: null }
  const text = JSON.stringify(results)
  const name = `${last.id.slice(0, MAX_BASE)}~${hash('sha256', text, 'hex').slice(0, 16)}`
  const parent = [...view.messages.values()].findLast((one) => one.run === run)?.id ?? last.id
  const rawData = dataOf(request, last, { results })
  return { run, before, answers, ask: { input: name, rawParts: null, rawData, parent } }
}

/** The same question, answered once more: an input without words of its own. */
function again(request: ChatRequest, last: UiMessageIn, view: View | null): Ask {
  const rawParts = partsOf(last)
  const question = view?.messages.get(editOf(last.id, rawParts)) ?? view?.messages.get(last.id)
  if (view === null || question === undefined) {
    throw new HeldlineError('message_not_found', 'unable to answer anew; there is no such message')
  }
  const answer = view.messages.get(request.messageId ?? '')
  const base = answer?.role === 'assistant' ? answer.id : lastAnswer(view, question)
  return {
    input: attemptOf(base, view),
    rawParts: null,
    rawData: dataOf(request, last),
    parent: question.id,
  }
}

/** The latest answer to a question: the first message of its run; where there is none, the question itself. */
function lastAnswer(view: View, question: Message): string {
  let latest = question.id
  for (const { id, parent, role } of view.messages.values()) {
    if (parent === question.id && role === 'assistant') latest = id
  }
  return latest
}

/**
 * The name of an attempt: the same as long as it may still succeed, so that a request that is sent again starts nothing twice; another one after it has failed.
 * An answer that is being made anew is not made anew once more meanwhile.
 */
function attemptOf(answer: string, view: View): string {
  const runs = [...view.runs.values()]
  const live = runs.find(
    ({ id, status }) => id === view.messages.get(answer)?.run && !isOver(status),
  )
  const trigger = live?.trigger ?? ''
  if (ATTEMPT.test(trigger)) return trigger
  for (let n = 1; ; n++) {
    const name = `${answer.slice(0, MAX_BASE)}~again${n}`
    const run = runs.find(({ trigger }) => trigger === name)
    if (run === undefined || !isOver(run.status) || run.status === 'finished') return name
  }
}

const ATTEMPT = /~again[0-9]+$/
const MAX_BASE = 100
const EDIT = /~[0-9a-f]{16}$/

/** Other words in the place of a message, by what they say: an id of their own, and the same for the same words. */
function editOf(id: string, rawParts: string): string {
  const base = id.replace(EDIT, '').slice(0, MAX_BASE)
  return `${base}~${hash('sha256', rawParts, 'hex').slice(0, 16)}`
}

const MAX_PARTS = 1000

/** @throws HeldlineError `invalid_request` */
function partsOf({ parts }: UiMessageIn): string {
  if (parts.length === 0 || parts.length > MAX_PARTS) {
    throw new HeldlineError(
      'invalid_request',
      `unable to go on; a message has 1 to ${MAX_PARTS} parts`,
    )
  }
  const checked: readonly Part[] = parts.map((part) => {
    const { success, data } = partSchema.safeParse(part)
    if (success) return data
    throw new HeldlineError(
      'invalid_request',
      'unable to go on; a part of the message does not have the form',
    )
  })
  return JSON.stringify(checked)
}

/** What the agent may want to know beside the words; `null`: nothing. */
function dataOf(
  { extra }: ChatRequest,
  { metadata, role }: UiMessageIn,
  more: Readonly<Record<string, unknown>> = {},
): string | null {
  const data = {
    ...more,
    ...(role === 'user' && metadata !== undefined && metadata !== null && { metadata }),
    ...(Object.keys(extra).length > 0 && { body: extra }),
  }
  return Object.keys(data).length === 0 ? null : JSON.stringify(data)
}
