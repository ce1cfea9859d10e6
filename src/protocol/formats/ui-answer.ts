import { activePath } from '../branches.ts'
import { isOver, type Run } from '../fold/fold-run.ts'
import type { Message, MessageStatus } from '../fold/message.ts'
import type { Part } from '../messages.ts'

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
  const all = before === undefined || before === null ? own : [before, ...own]
  return joined(all, said.runs.get(run))
}

/** The active path as the AI SDK has messages: those of a run joined in the place of its first, and those of a run that goes on with an answer in that answer's. */
export function uiPath(said: Said, selected?: string | null): readonly Message[] {
  const all = [...said.messages.values()]
  const byRun = new Map<string, Message[]>()
  for (const message of all) {
    const run = runOf(message)
    if (run !== null) byRun.set(run, [...(byRun.get(run) ?? []), message])
  }
  const told = new Set<string>()
  const path: Message[] = []
  for (const message of activePath(all, selected)) {
    const run = runOf(message)
    if (message.status === 'deleted' || (run !== null && told.has(run))) continue
    if (run !== null) told.add(run)
    const own = run === null ? [message] : (byRun.get(run) ?? [])
    const before = path.at(-1)
    const goesOn = before !== undefined && own.some((one) => continues(before, one))
    if (goesOn) path.pop()
    const one = run === null ? message : joined(goesOn ? [before, ...own] : own, said.runs.get(run))
    if (one !== null) path.push(one)
  }
  return path
}

/** The run whose answer a message belongs to. */
function runOf({ role, run }: Message): string | null {
  return role === 'assistant' ? (run ?? null) : null
}

/** Whether a message tells what became of a call that the one before it has. */
function continues(before: Message, { parts }: Message): boolean {
  return parts.some((part) => part['continues'] === true && callIn(before.parts, part['call']) >= 0)
}

function joined(messages: readonly Message[], run: Run | undefined): Message | null {
  const [first] = messages
  const last = messages.at(-1)
  if (first === undefined || last === undefined) return null
  const status = statusOf(run, last)
  // The same object, as long as nothing has changed.
  if (first === last) return first.status === status ? first : { ...first, status }
  const parts: Part[] = []
  for (const [index, message] of messages.entries()) {
    for (const part of message.parts) {
      const at = part['continues'] === true ? callIn(parts, part['call']) : -1
      const before = parts[at]
      if (before === undefined) parts.push(renamed(part, index))
      else parts[at] = goneOn(before, part)
    }
  }
  const metadata = Object.assign({}, ...messages.map((one) => one.metadata)) as Message['metadata']
  return { ...first, parts, metadata, status, updatedAt: last.updatedAt, serial: last.serial }
}

function callIn(parts: readonly Part[], call: unknown): number {
  return parts.findLastIndex((part) => part.type === 'tool' && part['call'] === call)
}

/** The call as it was begun, and what became of it. */
function goneOn(before: Part, part: Part): Part {
  const { id: _id, name: _name, continues: _flag, ...more } = part
  return { ...before, ...more }
}

const MAX_ID = 128

/** The names of parts are those of their message: those of a later one get its number. */
function renamed(part: Part, index: number): Part {
  if (index === 0) return part
  const name = (id: string): string => `m${index + 1}.${id}`.slice(0, MAX_ID)
  const about = part['part']
  return {
    ...part,
    ...(part.id !== undefined && { id: name(part.id) }),
    ...(part.type === 'part-info' && typeof about === 'string' && { part: name(about) }),
  }
}

/** An answer is over when its run is, whatever its messages say before. */
function statusOf(run: Run | undefined, { status }: Message): MessageStatus {
  if (run === undefined) return status
  if (!isOver(run.status)) return 'open'
  if (run.status === 'cancelled') return 'interrupted'
  if (run.status !== 'finished') return 'failed'
  return status === 'interrupted' || status === 'failed' ? status : 'completed'
}
