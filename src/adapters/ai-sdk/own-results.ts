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
  const done = new Map((mine.parts as readonly unknown[]).flatMap(doneCall))
  const parts = last.parts.map((part) => {
    const known: unknown = part
    const call = isChunk(known) && WAITS.has(known['state']) ? known['toolCallId'] : undefined
    const further = done.get(call)
    // The same part, further on.
    return further === undefined ? part : (further as unknown as typeof part)
  })
  return [...messages.slice(0, -1), { ...last, parts }]
}

function doneCall(part: unknown): [unknown, Chunk][] {
  return isChunk(part) && DONE.has(part['state']) ? [[part['toolCallId'], part]] : []
}

const WAITS: ReadonlySet<unknown> = new Set(['input-available', 'approval-requested'])
const DONE: ReadonlySet<unknown> = new Set([
  'approval-responded',
  'output-available',
  'output-error',
])
