/** What is needed beyond messages of text, one for each run, one after the other: fetched with the first tool, file, source, data, branch. */
import type { Session } from '../../client/session.ts'
import type { Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { isChunk } from '../../protocol/formats/piece.ts'
import { joined, joinedPath, runOf } from '../../protocol/formats/ui-join.ts'
import type { UiMessageChunk } from '../../protocol/formats/ui-message.ts'

export { joined, joinedPath }
export { moreWords } from '../../protocol/formats/ui-more-units.ts'

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

/** The run that says something: one that asks people about a tool is shown by what was loaded, and says nothing until they have answered. */
export function speaking(view: Session['view'], live: readonly Run[]): Run | undefined {
  return live.findLast((run) => {
    const own = [...view.messages.values()].filter((message) => runOf(message) === run.id)
    const said = joined(own)
    return said === null || !asksPeople(view, run, said)
  })
}
