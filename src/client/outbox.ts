import { backoffMs } from './backoff.ts'
import { ackOf, type Ack } from './ack.ts'
import { ClientError, clientClosed } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'
import {
  demandRoom,
  type EntryInput,
  type NewEvent,
  type OutboxEntry,
  type OutboxStore,
} from './outbox-entry.ts'
import type { Position } from '../protocol/position.ts'
import { isAnothers, startedMessage, subjectOf, whyUnsendable } from './outbox-rules.ts'
import type { Channel } from './reader.ts'
import { Timers } from './timers.ts'

export interface OutboxPorts {
  readonly session: string
  readonly clock: Clock
  readonly random: () => number
  readonly store: OutboxStore
  mintId(): string
  /** The serial that started a message, when the view holds it and it is the subject's own; else `null`. */
  startedAt(message: string, subject: string): number | null
  /** Where the view stands; `null`: nowhere yet. */
  position(): Position | null
  /** Sends a prompt. @throws ClientError by the promise */
  prompt(entry: OutboxEntry): Promise<Ack>
  changed(): void
  /** A refusal of something that nobody waits for: it was published before a reload. */
  failed(error: ClientError): void
}

interface Waiter {
  resolve(ack: Ack): void
  reject(error: ClientError): void
}

export interface Sender {
  readonly channel: Channel
  readonly subject: string
  readonly maxFrameBytes: number
}

const ACK_MS = 15_000
/** After so many, the view would have shown it. */
const PROOF_ATTEMPTS = 4

/**
 * What is to be published, sent in order and one at a time, again and again with the same ids until there is an answer that
 * is one. Attempts have no limit, since each is harmless and somebody's words are at stake; the outbox has.
 */
export class Outbox {
  readonly #ports: OutboxPorts
  readonly #entries = new Map<string, OutboxEntry>()
  readonly #waiters = new Map<string, Waiter>()
  readonly #timers: Timers<'retry'>
  #sender: Sender | null = null
  #asking: string | null = null
  #attempt = 0

  constructor(ports: OutboxPorts) {
    this.#ports = ports
    this.#timers = new Timers(ports.clock)
    for (const entry of ports.store.load()) this.#entries.set(entry.id, entry)
  }

  get entries(): readonly OutboxEntry[] {
    return [...this.#entries.values()]
  }

  /**
   * Takes events to publish, all or none.
   * @throws ClientError `outbox_full`; by the promise: a refusal, or `client_closed` (it is kept, and sent after the reload)
   */
  add(events: readonly NewEvent[], input?: EntryInput): Promise<Ack> {
    const { clock, store } = this.#ports
    const named = events.map((event) => ({ ...event, id: event.id ?? this.#ports.mintId() }))
    const [first] = named
    if (first === undefined)
      throw new ClientError('invalid_request', 'unable to publish; no events')
    demandRoom(this.#entries.values(), JSON.stringify(named))
    const entry: OutboxEntry = {
      id: first.id,
      events: named,
      state: 'pending',
      // By it they are put in order after a reload.
      createdAt: Math.max(clock.now(), (this.entries.at(-1)?.createdAt ?? 0) + 1),
      sentAt: null,
      subject: this.#sender === null ? null : subjectOf(this.#sender),
      ...(input !== undefined && { input }),
    }
    // The same id again is the same publish.
    const before = this.#entries.get(entry.id)
    if (before?.ack !== undefined) return Promise.resolve(before.ack)
    if (before === undefined || before.state === 'failed') {
      // First: what is no JSON throws here, and would throw again at every attach.
      store.save(entry)
      this.#entries.set(entry.id, entry)
    }
    const answer = this.#wait(entry.id)
    this.#pump()
    this.#ports.changed()
    return answer
  }

  /** The session is attached: what waits goes out. */
  resume(sender: Sender): void {
    this.#sender = sender
    this.#attempt = 0
    this.#timers.cancel('retry')
    this.#pump()
  }

  pause(): void {
    this.#sender = null
    this.#timers.cancel('retry')
  }

  /** Sends a failed entry again. */
  retry(id: string): void {
    const entry = this.#entries.get(id)
    if (entry?.state !== 'failed') return
    const { error: _, ...rest } = entry
    this.#put({ ...rest, state: 'pending', sentAt: null })
    this.#pump()
  }

  /** Forgets an entry that is not on its way. @returns whether it was forgotten */
  discard(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.state === 'sent') return false
    this.#drop(entry)
    this.#waiters.get(id)?.reject(new ClientError('client_closed', 'it was discarded'))
    this.#waiters.delete(id)
    return true
  }

  /** The view has moved: what it holds by now need not be shown here. */
  settle(): void {
    const position = this.#ports.position()
    if (position === null) return
    for (const { id, ack } of this.#entries.values()) {
      if (ack === undefined) continue
      if (ack.last <= position.serial || ack.epoch !== position.epoch) this.#entries.delete(id)
    }
  }

  /** The session will not take anything: everything that waits is refused. */
  refuseAll(error: ClientError): void {
    for (const entry of this.#entries.values()) {
      if (entry.state === 'pending' || entry.state === 'sent') this.#fail(entry, error)
    }
  }

  close(): void {
    this.pause()
    for (const waiter of this.#waiters.values()) waiter.reject(clientClosed())
    this.#waiters.clear()
  }

  #pump(): void {
    const sender = this.#sender
    if (sender === null || this.#asking !== null || this.#timers.has('retry')) return
    for (const entry of this.#entries.values()) {
      if (entry.state !== 'pending' && entry.state !== 'sent') continue
      if (isAnothers(entry, sender)) continue
      return this.#send(entry, sender)
    }
  }

  #send(entry: OutboxEntry, sender: Sender): void {
    const { clock, session } = this.#ports
    const now = clock.now()
    const refused = whyUnsendable(entry, sender.maxFrameBytes, now)
    if (refused !== null) {
      this.#fail(entry, refused)
      return this.#pump()
    }
    const sent: OutboxEntry = {
      ...entry,
      state: 'sent',
      sentAt: entry.sentAt ?? now,
      subject: entry.subject ?? subjectOf(sender),
    }
    this.#put(sent)
    this.#asking = entry.id
    const done = (answer: Ack | ClientError | null): void => {
      this.#asking = null
      if (answer instanceof ClientError) this.#unanswered(sent, answer, entry.sentAt !== null)
      else if (answer !== null) this.#acked(sent, answer)
      this.#pump()
    }
    if (entry.input !== undefined) return void this.#prompt(sent, done)
    const events = [...entry.events]
    sender.channel.ask({ op: 'publish', session, events }, ACK_MS, (answer) =>
      done(answer instanceof ClientError ? answer : answer.type === 'ack' ? ackOf(answer) : null),
    )
  }

  async #prompt(
    entry: OutboxEntry,
    done: (answer: Ack | ClientError | null) => void,
  ): Promise<void> {
    // What it fails with is a ClientError: the port says so.
    done(await this.#ports.prompt(entry).catch((error: ClientError) => error))
  }

  #unanswered(entry: OutboxEntry, error: ClientError, again: boolean): void {
    // It is kept, and sent after the reload.
    if (error.code === 'client_closed') return
    const proof = this.#proof(entry, error)
    if (proof !== null) return this.#acked(entry, proof)
    if (!this.#worthAnother(error, again)) return this.#fail(entry, error)
    const wait = Math.max(error.retryAfterMs ?? 0, backoffMs(++this.#attempt, this.#ports.random))
    this.#timers.start('retry', wait, () => this.#pump())
  }

  #worthAnother({ code, retryable }: ClientError, again: boolean): boolean {
    // Until credentials are renewed, or the session attached again, the socket refuses; then it goes on, or ends.
    const passing =
      code === 'invalid_token' || code === 'unauthenticated' || code === 'not_attached'
    // The message may be the one of an earlier attempt, which the view has not come to yet.
    const unproved = again && code.startsWith('message_') && this.#attempt < PROOF_ATTEMPTS
    return retryable || passing || unproved
  }

  /** A message that is refused for being there already, and is ours, has arrived before. */
  #proof(entry: OutboxEntry, error: ClientError): Ack | null {
    if (error.code !== 'message_exists' && error.code !== 'message_closed') return null
    const [event] = entry.events
    const message = event === undefined ? null : startedMessage(event)
    if (message === null || entry.subject === null || entry.events.length > 1) return null
    const first = this.#ports.startedAt(message, entry.subject)
    const position = this.#ports.position()
    if (first === null || position === null) return null
    return { epoch: position.epoch, first, last: first, duplicates: 1, durability: 'unknown' }
  }

  #acked(entry: OutboxEntry, ack: Ack): void {
    this.#attempt = 0
    this.#ports.store.remove(entry.id)
    this.#entries.set(entry.id, { ...entry, state: 'acked', ack })
    this.#waiters.get(entry.id)?.resolve(ack)
    this.#waiters.delete(entry.id)
    this.settle()
    this.#ports.changed()
  }

  #fail(entry: OutboxEntry, error: ClientError): void {
    this.#put({ ...entry, state: 'failed', error: { code: error.code, message: error.message } })
    const waiter = this.#waiters.get(entry.id)
    this.#waiters.delete(entry.id)
    if (waiter === undefined) this.#ports.failed(error)
    else waiter.reject(error)
  }

  #put(entry: OutboxEntry): void {
    this.#entries.set(entry.id, entry)
    this.#ports.store.save(entry)
    this.#ports.changed()
  }

  #drop(entry: OutboxEntry): void {
    this.#entries.delete(entry.id)
    this.#ports.store.remove(entry.id)
    this.#ports.changed()
  }

  #wait(id: string): Promise<Ack> {
    const before = this.#waiters.get(id)
    return new Promise<Ack>((resolve, reject) => {
      this.#waiters.set(id, {
        resolve(ack) {
          before?.resolve(ack)
          resolve(ack)
        },
        reject(error) {
          before?.reject(error)
          reject(error)
        },
      })
    })
  }
}
