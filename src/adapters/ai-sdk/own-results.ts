import type { UIMessage } from 'ai'
import { isChunk, type Chunk } from '../../protocol/formats/piece.ts'

/** The messages of a session, with what was done here with the tools of the last of them and is not sent yet. */
export function withOwn<Message extends UIMessage>(
  messages: Message[],
  own: readonly Message[],
): Message[] {
  const last = messages.at(-1)
  const mine = own.find(({ id }) => id === last?.id)
  if (last?.role !== 'assistant' || mine === undefined) return messages
  /** The same parts, further on, by their calls. */
  const done = new Map<unknown, Message['parts'][number]>()
  for (const part of mine.parts) {
    const { state, toolCallId } = fieldsOf(part)
    if (DONE.has(state)) done.set(toolCallId, part)
  }
  const parts = last.parts.map((part) => {
    const { state, toolCallId } = fieldsOf(part)
    return (WAITS.has(state) ? done.get(toolCallId) : undefined) ?? part
  })
  return [...messages.slice(0, -1), { ...last, parts }]
}

/** Of whichever version and application the part is. */
function fieldsOf(part: unknown): Chunk {
  return isChunk(part) ? part : {}
}

const WAITS: ReadonlySet<unknown> = new Set(['input-available', 'approval-requested'])
const DONE: ReadonlySet<unknown> = new Set([
  'approval-responded',
  'output-available',
  'output-error',
])
