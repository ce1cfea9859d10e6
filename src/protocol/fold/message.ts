import type {
  MessageCompleted,
  MessageDelta,
  MessageDeleted,
  MessageReplaced,
  MessageStarted,
  Part,
  Role,
} from '../messages.ts'

/** A message as people read it: the fold of its events. Immutable; every change makes a new one. */
export interface Message {
  readonly id: string
  readonly role: Role
  /** The message that this one answers or follows; `null` for a root. Two messages with one parent are a fork. */
  readonly parent: string | null
  readonly parts: readonly Part[]
  readonly status: MessageStatus
  readonly metadata: Readonly<Record<string, unknown>>
  /** The subject that started it. */
  readonly by: string
  /** The run that started it, where one did. */
  readonly run?: string
  readonly startedAt: number
  readonly updatedAt: number
  /** The serial that started it, and the last that changed it. */
  readonly first: number
  readonly serial: number
}

export type MessageStatus = 'open' | 'completed' | 'interrupted' | 'failed' | 'deleted'

/** Where an event stands, as far as a message records it. */
export interface Stamp {
  readonly serial: number
  readonly at: number
  readonly by: string
  readonly run?: string | undefined
}

export function startMessage(
  data: MessageStarted | (MessageCompleted & { role: Role }),
  parent: string | null,
  stamp: Stamp,
): Message {
  return {
    id: data.message,
    role: data.role,
    parent,
    parts: data.parts ?? [],
    status: 'open',
    metadata: data.metadata ?? {},
    by: stamp.by,
    ...(stamp.run !== undefined && { run: stamp.run }),
    startedAt: stamp.at,
    updatedAt: stamp.at,
    first: stamp.serial,
    serial: stamp.serial,
  }
}

export function extendMessage(message: Message, data: MessageDelta, stamp: Stamp): Message {
  const parts = 'add' in data ? putPart(message.parts, data.add) : addText(message.parts, data)
  return touched(message, stamp, { parts })
}

export function completeMessage(message: Message, data: MessageCompleted, stamp: Stamp): Message {
  return touched(message, stamp, {
    status: data.status ?? 'completed',
    parts: data.parts ?? message.parts,
    metadata: { ...message.metadata, ...data.metadata },
  })
}

export function replaceMessage(message: Message, data: MessageReplaced, stamp: Stamp): Message {
  return touched(message, stamp, {
    parts: data.parts,
    metadata: data.metadata ?? message.metadata,
  })
}

export function deleteMessage(message: Message, data: MessageDeleted, stamp: Stamp): Message {
  const metadata = data.reason === undefined ? {} : { reason: data.reason }
  return touched(message, stamp, { status: 'deleted', parts: [], metadata })
}

function touched(message: Message, stamp: Stamp, change: Partial<Message>): Message {
  return { ...message, ...change, updatedAt: stamp.at, serial: stamp.serial }
}

/** A part with an id that is there takes its place; any other goes to the end. */
function putPart(parts: readonly Part[], part: Part): readonly Part[] {
  const index = part.id === undefined ? -1 : parts.findIndex((other) => other.id === part.id)
  return index < 0 ? [...parts, part] : parts.with(index, part)
}

type TextDelta = Exclude<MessageDelta, { add: Part }>

/**
 * Text goes to the part that the delta names; without a name, to the last part when it is of the same type.
 * Where there is no such part, a new one is made at the end.
 */
function addText(parts: readonly Part[], delta: TextDelta): readonly Part[] {
  const type = delta.type ?? 'text'
  const index =
    delta.part === undefined
      ? lastOfType(parts, type)
      : parts.findIndex((part) => part.id === delta.part)
  const old = parts[index]
  if (old !== undefined) return parts.with(index, { ...old, text: (old.text ?? '') + delta.text })
  const made: Part = { type, text: delta.text }
  return [...parts, delta.part === undefined ? made : { ...made, id: delta.part }]
}

function lastOfType(parts: readonly Part[], type: string): number {
  const last = parts.length - 1
  const part = parts[last]
  return part !== undefined && part.type === type && part.id === undefined ? last : -1
}
