import type { Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import type { View } from '../../protocol/fold/view.ts'
import { isChunk } from '../../protocol/formats/piece.ts'
import { answerOf } from '../../protocol/formats/ui-answer.ts'
import { earlierOf } from '../../protocol/formats/ui-join.ts'

/** What a run has said so far, as the AI SDK has it: one message, which may begin with an earlier answer that the run goes on with. [P-18.4] */
export class RunAnswer {
  readonly #run: string
  readonly #before: Message | null
  #own: readonly string[] = []
  #looked = -1

  /** @param before what the run goes on with, where that is known; else what it says tells */
  constructor(run: string, before: Message | null = null) {
    this.#run = run
    this.#before = before
  }

  /** @returns `null`: nothing yet */
  in(view: View): Message | null {
    // Messages never leave a view: as many as before are the same ones.
    if (view.messages.size !== this.#looked) {
      this.#looked = view.messages.size
      this.#own = ownOf(view, this.#run)
    }
    const own = new Map(this.#own.flatMap((id) => entryOf(view, id)))
    if (own.size === 0) return null
    const before = this.#before ?? earlierOf(view.messages, [...own.values()])
    return answerOf({ messages: own, runs: view.runs }, this.#run, before)
  }
}

/** Whether a run waits for what its client does with a tool that it shows: the client must be ready for that. [P-18.4] */
export function waitsForClient(view: View, run: Run | undefined, { parts }: Message): boolean {
  if (run?.status !== 'waiting') return false
  return [...view.questions.values()].some(({ run: asker, status, data }) => {
    if (asker !== run.id || status !== 'open' || !isChunk(data)) return false
    const { approvalId, toolCallId } = data
    return parts.some(({ type, call, approval }) => {
      if (type !== 'tool') return false
      if (approvalId === undefined) return toolCallId !== undefined && call === toolCallId
      return isChunk(approval) && approval['id'] === approvalId
    })
  })
}

function ownOf(view: View, run: string): readonly string[] {
  const own = [...view.messages.values()].filter((one) => one.run === run)
  return own.filter(({ role }) => role === 'assistant').map(({ id }) => id)
}

function entryOf(view: View, id: string): [string, Message][] {
  const message = view.messages.get(id)
  return message === undefined ? [] : [[id, message]]
}
