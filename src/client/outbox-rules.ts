import { ClientError } from './client-error.ts'
import type { NewEvent, OutboxEntry } from './outbox-entry.ts'
import type { Sender } from './outbox.ts'

/** The server remembers ids for 10 minutes [P-2.5]; a minute of it is the clocks'. */
const REMEMBERED_MS = 9 * 60_000
/** What stands around the events in a frame. */
const FRAME_BYTES = 512

/** Why an entry must not be sent (again): it would end the socket, or be stored twice. */
export function whyUnsendable(
  entry: OutboxEntry,
  maxFrameBytes: number,
  now: number,
): ClientError | null {
  if (sizeOf(entry.events) > maxFrameBytes - FRAME_BYTES) {
    return new ClientError('payload_too_large', 'unable to publish; larger than a frame')
  }
  if (entry.sentAt === null || now - entry.sentAt < REMEMBERED_MS) return null
  if (entry.events.every((event) => startedMessage(event) !== null)) return null
  const message = 'unable to publish; an old attempt may have arrived'
  return new ClientError('outcome_unknown', message)
}

/** Bytes, not characters: what the server counts. */
function sizeOf(events: unknown): number {
  return new TextEncoder().encode(JSON.stringify(events)).length
}

/** The message that an event starts, if it starts one: then a second attempt is recognised by the log itself. */
export function startedMessage(event: NewEvent): string | null {
  const starts = event.type === 'message.started' || event.type === 'message.completed'
  if (!starts || typeof event.data !== 'object' || event.data === null) return null
  const { message, role } = event.data as { readonly message?: unknown; readonly role?: unknown }
  return typeof message === 'string' && role !== undefined ? message : null
}

/** Without a socket, the subject may be unknown. */
export function subjectOf(sender: Sender): string | null {
  return sender.subject === '' ? null : sender.subject
}

export function isAnothers(entry: OutboxEntry, sender: Sender): boolean {
  const subject = subjectOf(sender)
  return subject !== null && entry.subject !== null && entry.subject !== subject
}
