import type { Message } from '../protocol/fold/message.ts'
import type { View } from '../protocol/fold/view.ts'
import type { MessageCompleted, Part } from '../protocol/messages.ts'
import type { OutboxEntry } from './outbox-entry.ts'
import { startedMessage } from './outbox-rules.ts'

/** A message as this client shows it: of the log, or on its way there. */
export interface ClientMessage extends Message {
  /** It is not in the log yet. Its serials are 0. */
  readonly pending?: true
  /** It was refused; `retry(id)` or `discard(id)`. */
  readonly failed?: { readonly code: string; readonly message: string }
}

/** The view's messages, then those of the outbox which the view does not hold. */
export function withPending(view: View, entries: readonly OutboxEntry[]): readonly ClientMessage[] {
  const messages: ClientMessage[] = [...view.messages.values()]
  let tip = view.tip
  for (const entry of entries) {
    for (const event of entry.events) {
      const id = startedMessage(event)
      if (id === null || view.messages.has(id)) continue
      // What it starts with was judged just now to be a message with a role.
      messages.push(pendingMessage(entry, event.data as Started, tip))
      tip = id
    }
  }
  return messages
}

type Started = MessageCompleted & { readonly role: Message['role'] }

function pendingMessage(entry: OutboxEntry, data: Started, tip: string | null): ClientMessage {
  const message: ClientMessage = {
    id: data.message,
    role: data.role,
    parent: data.parent === undefined ? tip : data.parent,
    parts: data.parts ?? [],
    status: 'completed',
    metadata: data.metadata ?? {},
    by: entry.subject ?? '',
    startedAt: entry.createdAt,
    updatedAt: entry.createdAt,
    first: 0,
    serial: 0,
    pending: true,
  }
  return entry.error === undefined ? message : { ...message, failed: entry.error }
}

/** What a person says: text, or parts. */
export function partsOf(content: string | readonly Part[]): Part[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : [...content]
}
