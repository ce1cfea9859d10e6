import { HeldlineError } from '../../protocol/errors.ts'
import type { Question } from '../../protocol/fold/fold-input.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { isChunk, type Chunk } from '../../protocol/formats/piece.ts'

/** What people did with the tools of an answer, as far as the session does not know it: what a tool of the page gave, or whether a call may be made. [P-18.3] */
export function resultsOf(parts: readonly unknown[], { parts: known }: Message): readonly Chunk[] {
  return parts.flatMap((part): Chunk[] => {
    if (!isChunk(part)) return []
    const { toolCallId, state, approval, output, errorText } = part
    const call = known.findLast((one) => one.type === 'tool' && one['call'] === toolCallId)
    if (call?.['state'] !== 'called' && call?.['state'] !== 'approval') return []
    if (state === 'output-available') return [{ toolCallId, output }]
    if (state === 'output-error') return [{ toolCallId, errorText }]
    if (state !== 'approval-responded' || !isChunk(approval)) return []
    const { id: approvalId, approved, reason } = approval
    return [{ toolCallId, approvalId, approved, ...(reason !== undefined && { reason }) }]
  })
}

export interface QuestionAnswer {
  readonly question: string
  readonly rawAnswer: string
}

/** Of the results, those that a run's open questions ask for. */
export function answersTo(
  questions: Iterable<Question>,
  run: string,
  results: readonly Chunk[],
): readonly QuestionAnswer[] {
  return [...questions].flatMap(({ id, run: asker, status, data }) => {
    if (asker !== run || status !== 'open' || !isChunk(data)) return []
    const { approvalId, toolCallId } = data
    const found = results.find((one) =>
      approvalId === undefined
        ? one['toolCallId'] === toolCallId
        : one['approvalId'] === approvalId,
    )
    if (found === undefined) return []
    const { toolCallId: _call, approvalId: _approval, ...answer } = found
    return [{ question: id, rawAnswer: JSON.stringify(answer) }]
  })
}

export function noSuchAnswer(): HeldlineError {
  return new HeldlineError(
    'message_not_found',
    'unable to go on; the answer is none of this session’s runs',
  )
}
