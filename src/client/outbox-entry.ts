import type { InputMode } from '../protocol/input-events.ts'
import type { Ack } from './ack.ts'
import { ClientError } from './client-error.ts'
import type { StorageArea } from './storage.ts'
import { store, stored, storedKeys, unstore } from './storage.ts'

/** One event to publish. */
export interface NewEvent {
  /** `message.*`, or an application's own `x.*`. */
  readonly type: string
  /** The idempotency key; minted where it is missing. */
  readonly id?: string
  readonly data?: unknown
}

/**
 * `pending`: not sent yet. `sent`: sent at least once, the outcome not known. `acked`: in the log, its event on the way.
 * `failed`: refused.
 */
export type OutboxState = 'pending' | 'sent' | 'acked' | 'failed'

/** What makes a message an input: it is sent as a request, which appends both at once. [P-11.1] */
export interface EntryInput {
  readonly mode: Exclude<InputMode, 'interrupt'>
  readonly run?: string | undefined
  readonly data?: unknown
}

/** What is published at once: all of its events or none. */
export interface OutboxEntry {
  /** That of its first event; sorts by birth. */
  readonly id: string
  readonly events: readonly (NewEvent & { readonly id: string })[]
  /** Of a prompt, whose one event is its message. */
  readonly input?: EntryInput
  readonly state: OutboxState
  /** Milliseconds since 1970 by this machine's clock. */
  readonly createdAt: number
  /** When it was first sent; `null`: not yet. */
  readonly sentAt: number | null
  /** Whose it is, once known. Nobody else's connection sends it. */
  readonly subject: string | null
  readonly error?: { readonly code: string; readonly message: string }
  /** Of one that is acked. */
  readonly ack?: Ack
}

/**
 * The entries of one session that survive a reload, each under its own key, so that two tabs never overwrite each other's.
 * A tab that finds another's sends it too: the ids are the same, so it is stored once. One that stood still meanwhile for longer than ids are remembered [P-2.5]
 * is told of a message that it exists; an application's own events, never sent from there before, are then stored once more.
 */
export class OutboxStore {
  readonly #area: StorageArea | null
  readonly #prefix: string

  constructor(area: StorageArea | null, namespace: string, session: string) {
    this.#area = area
    this.#prefix = `${namespace}:outbox:${session}:`
  }

  /** In the order in which they were made. What cannot be read is not ours, and is left. */
  load(): OutboxEntry[] {
    const entries: OutboxEntry[] = []
    for (const key of storedKeys(this.#area, this.#prefix)) {
      const entry = parseEntry(stored(this.#area, key))
      // An id may hold colons: what begins like ours may be of the session `ours:more`, and is nobody else's to send.
      if (entry?.id === key.slice(this.#prefix.length)) entries.push(entry)
    }
    return entries.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
  }

  save(entry: OutboxEntry): void {
    store(this.#area, this.#prefix + entry.id, JSON.stringify(entry))
  }

  remove(id: string): void {
    unstore(this.#area, this.#prefix + id)
  }
}

function parseEntry(text: string | null): OutboxEntry | null {
  try {
    const entry = JSON.parse(text ?? 'null') as Partial<OutboxEntry> | null
    // Only `save` writes under this prefix.
    return Array.isArray(entry?.events) ? (entry as OutboxEntry) : null
  } catch {
    return null
  }
}

const MAX_ENTRIES = 200
const MAX_BYTES = 1_048_576

/** @throws ClientError `outbox_full` */
export function demandRoom(entries: Iterable<OutboxEntry>, text: string): void {
  const all = [text, ...Array.from(entries, ({ events }) => JSON.stringify(events))]
  if (all.length <= MAX_ENTRIES && all.join('').length <= MAX_BYTES) return
  const message = 'unable to publish; too much waits'
  const facts = { maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES }
  throw new ClientError('outbox_full', message, { retryable: true, facts })
}
