/** What is asked about what was said before: to say something on another branch, to edit, to answer once more, to go on with what people did with tools. Fetched where it comes to that. */
import type { UIMessage } from 'ai'
import { activePath } from '../../protocol/branches.ts'
import type { ClientError } from '../../client/client-error.ts'
import type { Session } from '../../client/session.ts'
import type { Question } from '../../protocol/fold/fold-input.ts'
import type { isOver } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { isChunk, type Chunk } from '../../protocol/formats/piece.ts'
import { joinedPath } from '../../protocol/formats/ui-join.ts'
import type { Part } from '../../protocol/messages.ts'
import type { untilLive } from './until-live.ts'
import type { About, Ask, Names, promptOf, Sent } from './ask.ts'
import type { View } from './plain.ts'

/** What the page has already, and is not to fetch again. */
export interface Kit {
  readonly isOver: typeof isOver
  readonly promptOf: typeof promptOf
  readonly untilLive: typeof untilLive
}

/** @throws TypeError where what is gone on with is not of this session */
export function askAgain(
  { trigger, messageId }: Sent,
  about: About,
  view: View,
  names: Names,
  kit: Kit,
): Ask {
  const { last, known, before, parts } = about
  if (last.role === 'assistant') return goOn(last, known, view, kit)
  if (known !== undefined && trigger === 'regenerate-message') {
    // Under the id of a message that was edited, the chat may show what it was before.
    const first = view.messages.get(last.id)
    const question = first !== undefined && isSame(first.parts, parts) ? first : known
    return again(messageId, question, view, kit)
  }
  if (known === undefined || messageId !== last.id)
    return kit.promptOf(last.id, parts, elsewhere(before, view))
  const id = editOf(known, parts, view, kit)
  // Not other words: it is sent once more.
  if (id === known.id) return kit.promptOf(id, parts)
  names.set(last.id, id)
  return kit.promptOf(id, parts, known.parent)
}

/** Where the chat shows another branch than the latest, what is said goes on there. */
function elsewhere(before: Message | undefined, view: View): string | undefined {
  const latest = activePath([...view.messages.values()])
  return latest.some(({ id }) => id === before?.id) ? undefined : before?.id
}

function notOfIt(): TypeError {
  return new TypeError('unable to go on; the answer is not of this session')
}

/** The same as long as it may still succeed, so that what is sent again starts nothing twice. */
function again(messageId: string | undefined, question: Message, view: View, kit: Kit): Ask {
  const answers = [...view.messages.values()].filter(({ parent }) => parent === question.id)
  const named = answers.find(({ id }) => id === messageId)
  const base = (named ?? answers.findLast(({ role }) => role === 'assistant') ?? question).id
  return inputOf(attemptOf(`${base}~again`, view, kit), question.id, kit)
}

/** An input without words: it is answered where its parent is. */
function inputOf(id: string, parent: string, kit: Kit, before?: Message, own?: Chunk): Ask {
  return {
    target: { input: id, before },
    say: async (session, more) => {
      const all = { id, mode: 'queue', parent, ...more } as const
      const given = own === undefined ? all : { ...all, data: { ...more.data, ...own } }
      const { last = 0 } = await insist(session, kit, () => session.input(given))
      await untilSeen(session, last)
    },
  }
}

/** The answer to a request may come before the events that it made. In another epoch they are as good as there. */
async function untilSeen(session: Session, serial: number): Promise<void> {
  const { epoch } = session.view.position
  const isSeen = (): boolean => {
    const { position } = session.view
    return position.serial >= serial || position.epoch !== epoch
  }
  let off = (): void => undefined
  await new Promise<void>((resolve) => {
    const look = (): void => (isSeen() ? resolve() : undefined)
    off = session.on('change', look)
    look()
  })
  off()
}

const PAUSE_MS = 1000

/** Again and again with the same id, until there is an answer that is one. */
async function insist<T>(session: Session, { untilLive }: Kit, act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!isClientError(error) || !error.retryable) throw error
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? PAUSE_MS))
      await untilLive(session)
    }
  }
}

/** Without its class, which the page has already. */
function isClientError(error: unknown): error is ClientError {
  return error instanceof Error && error.name === 'ClientError'
}

function attemptOf(name: string, view: View, { isOver }: Kit): string {
  const runs = [...view.runs.values()]
  for (let n = 1; ; n++) {
    const id = n === 1 ? name : `${name}${n}`
    const run = runs.find(({ trigger }) => trigger === id)
    if (run === undefined || !isOver(run.status)) return id
  }
}

/** Other words in the place of a message: an id of their own, the same for the same words until they are answered. */
function editOf({ id, parts }: Message, now: readonly Part[], view: View, kit: Kit): string {
  return isSame(parts, now) && !isAnswered(id, view)
    ? id
    : attemptOf(`${id.replace(/~e[a-z0-9]+$/, '')}~e${hash(JSON.stringify(now))}`, view, kit)
}

function isSame(some: readonly Part[], others: readonly Part[]): boolean {
  return JSON.stringify(some) === JSON.stringify(others)
}

function isAnswered(id: string, view: View): boolean {
  return [...view.messages.values()].some(({ parent }) => parent === id)
}

/** People have done something with an answer's tools: given their output, or approved them. The agent may wait for it: its run goes on. */
function goOn(last: UIMessage, known: Message | undefined, view: View, kit: Kit): Ask {
  const all = [...view.messages.values()]
  // Other runs may have gone on with it: it is whole, and its run the last of them.
  const before = known && joinedPath(all, known.id).find(({ id }) => id === known.id)
  const run = before?.run
  const latest = all.findLast((message) => message.run === run)
  if (before === undefined || run === undefined || latest === undefined) throw notOfIt()
  // The parts of the AI SDK, of whichever version and application.
  const results = (last.parts as readonly unknown[]).flatMap((part) => resultOf(part, before))
  const answers = [...view.questions.values()].flatMap((question) => {
    if (question.run !== run || question.status !== 'open') return []
    const result = results.find((one) => isAbout(question, one))
    return result === undefined ? [] : [{ question: question.id, answer: answerTo(result) }]
  })
  if (answers.length === 0) {
    const id = attemptOf(`${last.id}~t${hash(JSON.stringify(results))}`, view, kit)
    return inputOf(id, latest.id, kit, before, { results })
  }
  return {
    target: { run, before, answered: answers.map(({ question }) => question) },
    say: (session) =>
      Promise.all(
        answers.map(({ question, answer }) =>
          insist(session, kit, () => session.answer(question, answer)),
        ),
      ),
  }
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
