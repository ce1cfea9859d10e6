import type { Run } from '../fold/fold-run.ts'
import type { Message } from '../fold/message.ts'
import { ended } from './ui-ended.ts'
import { joined, joinedPath, runOf } from './ui-join.ts'

/** What is needed of a view. */
export interface Said {
  readonly messages: ReadonlyMap<string, Message>
  readonly runs: ReadonlyMap<string, Run>
}

/**
 * What a run has said so far, as one message: the AI SDK has one for an answer. It is open until the run is over.
 * @param before what the run goes on with: an earlier answer, whose tools people have answered since
 * @returns `null`: nothing yet
 */
export function answerOf(said: Said, run: string, before?: Message | null): Message | null {
  const own = [...said.messages.values()].filter((message) => runOf(message) === run)
  const message = joined(before ? [before, ...own] : own)
  return message && ended(message, said.runs.get(run))
}

/** The active path as the AI SDK has messages. See `joinedPath`. */
export function uiPath(said: Said, selected?: string | null): readonly Message[] {
  const path = joinedPath([...said.messages.values()], selected)
  return path.map((message) => ended(message, said.runs.get(runOf(message) ?? '')))
}
