import type { Redis } from 'ioredis'
import type { Log } from '../../core/log.ts'
import { failureOf, isPassing } from './failures.ts'
import { bucketOfChannel } from './keys.ts'
import { revive } from './revive.ts'

/** So many channels at most in one command. */
const PAGE = 200
const RETRY_MS = 200

export interface SubscriberEvents {
  readonly onMessage: (channel: string, message: string) => void
  /** After a loss, all that is wanted is heard again: what came in between was missed. */
  readonly onBack: () => void
  /** The server says that some channel is not its own (any more). */
  readonly onMoved: () => void
}

/** One connection that listens: keeps what is heard equal to what is wanted, over any number of losses. */
export class Subscriber {
  readonly client: Redis
  readonly #events: SubscriberEvents
  readonly #log: Log
  readonly #sharded: boolean
  readonly #wanted = new Set<string>()
  readonly #heard = new Set<string>()
  /** Channels for which the two may differ. */
  readonly #dirty = new Set<string>()
  #flushing = false
  #missed = false
  #closed = false

  constructor(client: Redis, sharded: boolean, events: SubscriberEvents, log: Log) {
    this.client = client
    this.#sharded = sharded
    this.#events = events
    this.#log = log
    client.on('error', (error: Error) => {
      if (!this.#closed)
        log.warn('redis.connection_error', { link: 'subscriber', error: error.message })
    })
    client.on(sharded ? 'smessage' : 'message', events.onMessage)
    client.on('ready', () => this.#again())
    client.on('close', () => this.#lost())
    // ioredis says so when a slot that was listened to has moved, and the server has dropped its channels.
    client.on('moved', () => {
      this.#lost()
      this.#again()
      events.onMoved()
    })
    revive(client, () => this.#closed)
    client.connect().catch(() => undefined) // Told by 'error'; it goes on trying.
  }

  get size(): number {
    return this.#wanted.size
  }

  hears(channel: string): boolean {
    return this.#heard.has(channel)
  }

  want(channel: string): void {
    this.#wanted.add(channel)
    this.#touch(channel)
  }

  drop(channel: string): void {
    this.#wanted.delete(channel)
    this.#touch(channel)
  }

  /** Tells the owner once everything wanted is heard: it was moved here from another connection. */
  expectLoss(): void {
    this.#missed = true
    this.#schedule()
  }

  /** Cuts the connection; it comes back by itself. */
  reset(): void {
    this.client.stream?.destroy()
  }

  close(): void {
    this.#closed = true
    this.client.disconnect()
  }

  #touch(channel: string): void {
    this.#dirty.add(channel)
    this.#schedule()
  }

  #lost(): void {
    this.#missed = true
    this.#heard.clear()
  }

  #again(): void {
    for (const channel of this.#wanted) this.#dirty.add(channel)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#flushing || this.#closed) return
    this.#flushing = true
    setImmediate(() => {
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    let failed = false
    while (!failed && this.#dirty.size > 0 && this.client.status === 'ready') {
      const page = this.#page()
      const add = page.filter((channel) => this.#wanted.has(channel) && !this.#heard.has(channel))
      const drop = page.filter((channel) => !this.#wanted.has(channel) && this.#heard.has(channel))
      try {
        await this.#apply(add, drop)
      } catch (error) {
        failed = true
        for (const channel of page) this.#dirty.add(channel)
        if (error instanceof Error && error.message.startsWith('MOVED')) this.#events.onMoved()
        this.#note(error)
      }
    }
    this.#flushing = false
    if (this.#closed || this.client.status !== 'ready') return
    if (failed) setTimeout(() => this.#schedule(), RETRY_MS).unref()
    else if (this.#dirty.size > 0) this.#schedule()
    else if (this.#missed) {
      this.#missed = false
      this.#events.onBack()
    }
  }

  /** A permission that is missing: until somebody gives it, readers of this node wait for its periodic look. */
  #note(error: unknown): void {
    const failure = failureOf(error)
    if (!this.#closed && !isPassing(failure))
      this.#log.warn('redis.subscribe_refused', { error: failure.message })
  }

  /** Some channels that may be wrong; of one slot, where the server wants that. */
  #page(): string[] {
    const page: string[] = []
    let bucket: number | null = null
    for (const channel of this.#dirty) {
      if (page.length >= PAGE) break
      bucket ??= bucketOfChannel(channel)
      if (this.#sharded && bucketOfChannel(channel) !== bucket) continue
      page.push(channel)
    }
    for (const channel of page) this.#dirty.delete(channel)
    return page
  }

  async #apply(add: readonly string[], drop: readonly string[]): Promise<void> {
    const [subscribe, unsubscribe] = this.#sharded
      ? (['ssubscribe', 'sunsubscribe'] as const)
      : (['subscribe', 'unsubscribe'] as const)
    if (add.length > 0) await this.client[subscribe](...add)
    for (const channel of add) this.#heard.add(channel)
    if (drop.length > 0) await this.client[unsubscribe](...drop)
    for (const channel of drop) this.#heard.delete(channel)
  }
}
