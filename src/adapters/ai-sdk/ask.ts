import type { UIMessage } from 'ai'
import { activePath } from '../../protocol/branches.ts'
import type { Question } from '../../protocol/fold/fold-input.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { isChunk, type Chunk } from '../../protocol/formats/piece.ts'
import { answerOf, type Said } from '../../protocol/formats/ui-answer.ts'
import { partsToSay } from '../../protocol/formats/ui-units.ts'
import type { Part } from '../../protocol/messages.ts'

/** What is asked for with a list of messages. */
export type Ask =
  /** A person says something. */
  | {
      readonly kind: 'prompt'
      readonly id: string
      readonly parts: Part[]
      readonly parent?: string | null
    }
  /** A message is to be answered once more; or the agent is to go on with what people did with its tools. */
  | {
      readonly kind: 'again'
      readonly id: string
      readonly parent: string
      readonly before?: Message
      readonly data?: Chunk
    }
  /** The agent waits for what people did with its tools: its run goes on. */
  | {
      readonly kind: 'answers'
      readonly run: string
      readonly before: Message
      readonly answers: readonly Answer[]
    }

interface Answer {
  readonly question: string
  readonly answer: Chunk
}

interface View extends Said {
  readonly questions: ReadonlyMap<string, Question>
}

interface Sent {
  readonly trigger: 'submit-message' | 'regenerate-message'
  readonly messageId: string | undefined
  readonly messages: readonly UIMessage[]
}

/**
 * @param names what the chat calls a message that was said in the place of another one, by the other's id
 * @throws TypeError where there is no message to send
 */
export function askOf(sent: Sent, view: View, names: Map<string, string>): Ask {
  const last = sent.messages.at(-1)
  if (last === undefined) throw new TypeError('unable to send; there is no message')
  const known = view.messages.get(names.get(last.id) ?? last.id)
  if (last.role === 'assistant') return goOn(last, known, view)
  if (sent.trigger === 'regenerate-message' && known !== undefined)
    return again(sent.messageId, known, view)
  const parts = partsToSay(last.parts)
  if (sent.messageId === last.id && known !== undefined) {
    const id = editOf(known, parts, view)
    // Not other words: it is sent once more.
    if (id === known.id) return { kind: 'prompt', id, parts }
    names.set(last.id, id)
    return { kind: 'prompt', id, parts, parent: known.parent }
  }
  return { kind: 'prompt', id: last.id, parts, ...elsewhere(sent.messages.at(-2), view, names) }
}

/** Where the chat shows another branch than the latest, what is said goes on there. */
function elsewhere(
  before: UIMessage | undefined,
  view: View,
  names: ReadonlyMap<string, string>,
): { readonly parent?: string } {
  const shown = before && view.messages.get(names.get(before.id) ?? before.id)
  if (shown === undefined) return {}
  const parent = lastOf(shown, view)
  const latest = activePath([...view.messages.values()])
  return latest.some(({ id }) => id === parent) ? {} : { parent }
}

/** A run may have several messages, where the chat has one. */
function lastOf({ id, run }: Message, view: View): string {
  const all = [...view.messages.values()]
  return all.findLast((other) => run !== undefined && other.run === run)?.id ?? id
}

/** The same as long as it may still succeed, so that what is sent again starts nothing twice. */
function again(messageId: string | undefined, question: Message, view: View): Ask {
  const answers = [...view.messages.values()].filter(({ parent }) => parent === question.id)
  const named = answers.find(({ id }) => id === messageId)
  const base = (named ?? answers.findLast(({ role }) => role === 'assistant') ?? question).id
  return { kind: 'again', id: attemptOf(`${base}~again`, view), parent: question.id }
}

function attemptOf(name: string, view: View): string {
  const runs = [...view.runs.values()]
  for (let n = 1; ; n++) {
    const id = n === 1 ? name : `${name}${n}`
    const run = runs.find(({ trigger }) => trigger === id)
    if (run === undefined || !isOver(run.status)) return id
  }
}

/** Other words in the place of a message: an id of their own, the same for the same words until they are answered. */
function editOf({ id, parts }: Message, now: readonly Part[], view: View): string {
  const text = JSON.stringify(now)
  return JSON.stringify(parts) === text && !isAnswered(id, view)
    ? id
    : attemptOf(`${id.replace(/~e[a-z0-9]+$/, '')}~e${hash(text)}`, view)
}

function isAnswered(id: string, view: View): boolean {
  return [...view.messages.values()].some(({ parent }) => parent === id)
}

/** People have done something with an answer's tools: given their output, or approved them. */
function goOn(last: UIMessage, known: Message | undefined, view: View): Ask {
  const run = known?.run
  const before = run === undefined ? null : answerOf(view, run)
  if (known === undefined || run === undefined || before === null)
    throw new TypeError('unable to go on; the answer is not of this session')
  // The parts of the AI SDK, of whichever version and application.
  const results = (last.parts as readonly unknown[]).flatMap((part) => resultOf(part, before))
  const answers = [...view.questions.values()].flatMap((question) => {
    if (question.run !== run || question.status !== 'open') return []
    const result = results.find((one) => isAbout(question, one))
    return result === undefined ? [] : [{ question: question.id, answer: answerTo(result) }]
  })
  if (answers.length > 0) return { kind: 'answers', run, before, answers }
  const id = attemptOf(`${last.id}~t${hash(JSON.stringify(results))}`, view)
  return { kind: 'again', id, parent: lastOf(known, view), before, data: { results } }
}

/** What the session does not know yet. */
function resultOf(part: unknown, { parts }: Message): Chunk[] {
  if (!isChunk(part)) return []
  const { toolCallId, state, approval, output, errorText } = part
  const known = parts.findLast(({ type, call }) => type === 'tool' && call === toolCallId)
  if (known === undefined) return []
  const waits = known['state'] === 'called' || known['state'] === 'approval'
  if (!waits) return []
  if (state === 'output-available') return [{ toolCallId, output }]
  if (state === 'output-error') return [{ toolCallId, errorText }]
  if (state !== 'approval-responded' || !isChunk(approval)) return []
  const { id: approvalId, approved, reason } = approval
  return [{ toolCallId, approvalId, approved, ...(reason !== undefined && { reason }) }]
}

function isAbout({ data }: Question, result: Chunk): boolean {
  if (!isChunk(data)) return false
  const { approvalId, toolCallId } = data
  return approvalId === undefined
    ? toolCallId === result['toolCallId']
    : approvalId === result['approvalId']
}

function answerTo({ toolCallId: _call, approvalId: _approval, ...answer }: Chunk): Chunk {
  return answer
}

/** Of names, not of secrets. */
function hash(text: string): string {
  let [a, b] = [0x811c9dc5, 0x1b873593]
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    a = Math.imul(a ^ unit, 0x01000193)
    b = Math.imul(b + unit, 0x85ebca6b) ^ (b >>> 13)
  }
  return (a >>> 0).toString(36) + (b >>> 0).toString(36)
}
