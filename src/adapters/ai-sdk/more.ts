/** What is needed beyond messages of text, one for each run, one after the other: fetched with the first tool, file, source, data, branch. */
import type { Session } from '../../client/session.ts'
import type { Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { isChunk } from '../../protocol/formats/piece.ts'
import { earlierOf, joined, joinedPath, ownOf } from '../../protocol/formats/ui-join.ts'
import type { UiMessage, UiMessageChunk } from '../../protocol/formats/ui-message.ts'
import type { Target } from './answer-stream.ts'
import { lives, type Living } from './lives.ts'

export { joinedPath }
export { moreWords } from '../../protocol/formats/ui-more-units.ts'

/** With a call whose input is still coming, a resume of AI SDK 6 would go on with the message, and show it twice. */
export function shownBy6(shown: UiMessage): UiMessage {
  return { ...shown, parts: shown.parts.filter(({ state }) => state !== 'input-streaming') }
}

/** What is shown with what a run has said. @param before what it goes on with, where that is known; else what it says tells */
export function whole(
  { messages }: Pick<Session['view'], 'messages'>,
  own: readonly Message[],
  before: Message | null = earlierOf(messages, own),
): Message | null {
  return joined(before === null ? own : [before, ...own])
}

/** What ends a stream while people are asked about a call that it has shown. As `asksPeople` */
export function pauseFor(...asked: Parameters<typeof asksPeople>): UiMessageChunk[] {
  return asksPeople(...asked) ? [{ type: 'finish', finishReason: 'tool-calls' }] : []
}

/**
 * Whether an agent has asked people about one of the calls that are shown: the chat has to be ready for what they do with it.
 * @param answered questions that do not count
 */
function asksPeople(
  { questions }: Pick<Session['view'], 'questions'>,
  { id, status }: Run,
  { parts }: Message,
  answered: readonly string[] = [],
): boolean {
  if (status !== 'waiting') return false
  const calls = parts.filter(({ state }) => state === 'called' || state === 'approval')
  return [...questions.values()].some((question) => {
    const { data } = question
    const isOpen = question.run === id && question.status === 'open'
    if (!isOpen || answered.includes(question.id) || !isChunk(data)) return false
    const { approvalId, toolCallId } = data
    return calls.some(({ call, approval }) =>
      approvalId === undefined
        ? call === toolCallId
        : isChunk(approval) && approval['id'] === approvalId,
    )
  })
}

/**
 * What is being answered: the latest run that says something, or what waits for one. A run that asks people about a tool is shown by what was loaded, and says
 * nothing until they have answered.
 * @param inputs those that wait. One whose run is over may never have been taken.
 */
export function activeOf(
  view: Session['view'],
  inputs: readonly string[],
  outbox: Session['outbox'],
  living: Living,
): Target | undefined {
  const { messages, runs } = view
  const all = [...runs.values()]
  const speaking = all.findLast((run) => {
    if (!lives(run, living)) return false
    const said = whole(view, ownOf(messages, run.id))
    return said === null || !asksPeople(view, run, said)
  })
  if (speaking !== undefined) return { run: speaking.id }
  const triggers = new Set(all.map(({ trigger }) => trigger))
  const input =
    inputs.findLast((id) => !triggers.has(id)) ??
    outbox.find((entry) => entry.input && entry.state !== 'failed')?.id
  return input === undefined ? undefined : { input }
}
