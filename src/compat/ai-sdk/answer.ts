import { activePath } from '../../protocol/branches.ts'
import { isOver, type Run } from '../../protocol/fold/fold-run.ts'
import type { Message, MessageStatus } from '../../protocol/fold/message.ts'
import type { View } from '../../protocol/fold/view.ts'
import type { Part } from '../../protocol/messages.ts'

/** What a run has said so far. The AI SDK has one message for an answer, so those of a run are joined to one. [P-18.4] */
export class RunAnswer {
  readonly #run: string
  #ids: readonly string[] = []
  #looked = -1

  constructor(run: string) {
    this.#run = run
  }

  /** @returns `null`: nothing yet */
  in(view: View): Message | null {
    // Messages never leave a view: as many as before are the same ones.
    if (view.messages.size !== this.#looked) {
      this.#looked = view.messages.size
      this.#ids = [...view.messages.values()].filter((one) => isOf(one, this.#run)).map(idOf)
    }
    const messages = this.#ids.flatMap((id) => view.messages.get(id) ?? [])
    return joined(messages, view.runs.get(this.#run))
  }
}

/** The active path as the AI SDK has messages: each run's joined in the place of its first. [P-18.5] */
export function uiPath(view: View): readonly Message[] {
  const all = [...view.messages.values()]
  const byRun = Map.groupBy(all, (message) => runOf(message))
  const told = new Set<string>()
  return activePath(all).flatMap((message) => {
    if (message.status === 'deleted') return []
    const run = runOf(message)
    if (run === null) return [message]
    if (told.has(run)) return []
    told.add(run)
    return joined(byRun.get(run) ?? [], view.runs.get(run)) ?? []
  })
}

/** The run whose answer a message belongs to. */
function runOf({ role, run }: Message): string | null {
  return role === 'assistant' && run !== undefined ? run : null
}

function isOf(message: Message, run: string): boolean {
  return runOf(message) === run
}

function idOf({ id }: Message): string {
  return id
}

function joined(messages: readonly Message[], run: Run | undefined): Message | null {
  const [first] = messages
  const last = messages.at(-1)
  if (first === undefined || last === undefined) return null
  return {
    ...first,
    parts: messages.flatMap(partsOf),
    metadata: Object.assign({}, ...messages.map(({ metadata }) => metadata)) as Message['metadata'],
    status: statusOf(run, last),
    updatedAt: last.updatedAt,
    serial: Math.max(...messages.map(({ serial }) => serial)),
  }
}

/** The names of parts are those of their message: those of a later one get its number. */
function partsOf({ parts }: Message, index: number): readonly Part[] {
  if (index === 0) return parts
  return parts.map((part) =>
    part.id === undefined ? part : { ...part, id: renamed(part.id, index) },
  )
}

const MAX_ID = 128

function renamed(id: string, index: number): string {
  return `m${index + 1}.${id}`.slice(0, MAX_ID)
}

/** An answer is over when its run is, whatever its messages say before. */
function statusOf(run: Run | undefined, last: Message): MessageStatus {
  if (run !== undefined && !isOver(run.status)) return 'open'
  if (run?.status === 'cancelled') return 'interrupted'
  if (run?.status === 'failed' || run?.status === 'lost') return 'failed'
  return last.status === 'interrupted' || last.status === 'failed' ? last.status : 'completed'
}
