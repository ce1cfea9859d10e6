import { activePath } from '../branches.ts'
import type { Message } from '../fold/message.ts'
import type { Part } from '../messages.ts'

/** Several messages as one, which is the same object where there is but one; `null`: there is none. */
export function joined(messages: readonly Message[]): Message | null {
  const [first] = messages
  const last = messages.at(-1)
  if (first === undefined || last === undefined) return null
  if (first === last) return first
  const parts: Part[] = []
  for (const [index, message] of messages.entries()) {
    for (const part of message.parts) {
      const at = begunIn(parts, part)
      const before = parts[at]
      if (before === undefined) parts.push(renamed(part, index))
      else parts[at] = goneOn(before, part)
    }
  }
  const metadata = Object.assign({}, ...messages.map((one) => one.metadata)) as Message['metadata']
  const { run = first.run, status, updatedAt, serial } = last
  return { ...first, ...(run !== undefined && { run }), parts, metadata, status, updatedAt, serial }
}

/** What a run has said, in order. */
export function ownOf(messages: ReadonlyMap<string, Message>, run: string): readonly Message[] {
  return [...messages.values()].filter((message) => runOf(message) === run)
}

/** The answer that a run goes on with, whole, where it tells what became of that one's tools; `null`: it goes on with none. */
export function earlierOf(
  messages: ReadonlyMap<string, Message>,
  own: readonly Message[],
): Message | null {
  const [first] = own
  const above = messages.get(first?.parent ?? '')
  // What was started later is no parent, and leads nowhere back.
  if (first === undefined || above?.role !== 'assistant' || above.first >= first.first) return null
  const said = above.run === undefined ? [above] : ownOf(messages, above.run)
  const before = joined([earlierOf(messages, said), ...said].filter((one) => one !== null))
  return before !== null && own.some((one) => continues(before, one)) ? before : null
}

/** The active path: messages of a run joined in the place of its first, and those of a run that goes on with an answer in that answer's. Their run is the last. */
export function joinedPath(
  messages: readonly Message[],
  selected?: string | null,
): readonly Message[] {
  const byRun = new Map<string, Message[]>()
  for (const message of messages) {
    const run = runOf(message)
    if (run !== null) byRun.set(run, [...(byRun.get(run) ?? []), message])
  }
  const path: Message[] = []
  for (const message of activePath(messages, selected)) {
    const run = runOf(message)
    const own = run === null ? [message] : byRun.get(run)
    if (message.status === 'deleted' || own === undefined) continue
    // They are taken at once.
    if (run !== null) byRun.delete(run)
    const before = path.at(-1)
    const goesOn = before !== undefined && own.some((one) => continues(before, one))
    if (goesOn) path.pop()
    const one = joined(goesOn ? [before, ...own] : own)
    if (one !== null) path.push(one)
  }
  return path
}

/** The run whose answer a message belongs to. */
export function runOf({ role, run }: Message): string | null {
  return role === 'assistant' ? (run ?? null) : null
}

/** Whether a message tells what became of a call that the one before it has. */
function continues(before: Message, { parts }: Message): boolean {
  return parts.some((part) => begunIn(before.parts, part) >= 0)
}

/** Where the call is that a part tells more of; -1: it does not, or that is not there. */
function begunIn(parts: readonly Part[], { continues, call }: Part): number {
  if (continues !== true) return -1
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
