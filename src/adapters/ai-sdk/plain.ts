import type { Session } from '../../client/session.ts'
import type { Run } from '../../protocol/fold/fold-run.ts'
import type { Message } from '../../protocol/fold/message.ts'
import { ended } from '../../protocol/formats/ui-ended.ts'
import { isPlain } from '../../protocol/formats/ui-units.ts'
import type { Later } from './later.ts'
import type * as more from './more.ts'

export type View = Session['view']

/** What is needed beyond messages of text, one for each run, one after the other. */
export type More = typeof more

/**
 * What a run has said so far, as one message: the AI SDK has one for an answer. It is open until the run is over.
 * @param before what the run goes on with: an earlier answer, whose tools people have answered since
 * @returns `null`: nothing yet; `undefined`: it takes `more`, which is not here
 */
export function answerOf(
  view: View,
  run: string,
  { code }: Later<More>,
  before?: Message,
): Message | null | undefined {
  const own = [...view.messages.values()].filter((message) => runOf(message) === run)
  const [first = null] = own
  if (code === null && (before || own.length > 1 || (first && !isPlain(first)))) return undefined
  const message = code === null ? first : code.whole(view, own, before)
  return message && ended(message, view.runs.get(run))
}

/**
 * The messages that are shown, of the branch that is selected.
 * @returns `undefined`: it takes `more`, which is not here
 */
export function pathOf(
  { messages, runs }: View,
  branch: string | null | undefined,
  { code }: Later<More>,
): readonly Message[] | undefined {
  const all = [...messages.values()]
  const path = code?.joinedPath(all, branch) ?? (isSimple(all) ? all : undefined)
  return path?.map((message) => ended(message, runs.get(runOf(message) ?? '')))
}

/** One after the other, each run's but one: the path is what there is. */
function isSimple(messages: readonly Message[]): boolean {
  const spoken = new Set(messages.map((message) => runOf(message) ?? message.id))
  return (
    spoken.size === messages.length &&
    messages.every(
      (message, index) =>
        isPlain(message) &&
        message.status !== 'deleted' &&
        (index === 0 || message.parent === messages[index - 1]?.id),
    )
  )
}

/** The run whose answer a message belongs to. */
function runOf({ role, run }: Message): Run['id'] | undefined {
  return role === 'assistant' ? run : undefined
}
