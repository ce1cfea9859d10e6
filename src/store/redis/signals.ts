import type { Log } from '../../core/log.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Signals, Subscription, Wake } from '../../core/signals.ts'
import { LocalSignals } from '../local-signals.ts'
import { keysOf, sessionOf } from './keys.ts'
import type { Link } from './link.ts'
import { Subscribers, type Route } from './subscribers.ts'
import { decodeWake, encodeSignal } from './wake.ts'

/** Signals under way to Redis; what comes beyond it stays on this node. */
const MAX_SENDING = 1000

export interface RedisSignalsSettings {
  readonly link: Link
  readonly route: Route
  readonly instance: string
  readonly publish: 'publish' | 'spublish'
  readonly log: Log
  readonly probeMs: number
}

/** Wake-ups by pub/sub. This node's own are given to its listeners at once, and ignored when they come back. */
export class RedisSignals implements Signals {
  readonly #settings: RedisSignalsSettings
  readonly #local = new LocalSignals()
  readonly #subscribers: Subscribers
  readonly #restored = new Set<() => void>()
  #sending = 0

  constructor(settings: RedisSignalsSettings) {
    this.#settings = settings
    this.#subscribers = new Subscribers({
      route: settings.route,
      sharded: settings.publish === 'spublish',
      instance: settings.instance,
      log: settings.log,
      probeMs: settings.probeMs,
      onMessage: (channel, message) => this.#heard(channel, message),
      onBack: () => this.restored(),
      publish: (channel, message) => this.#publish(channel, message),
    })
  }

  /** Channels that are listened to: sessions with a subscriber here. */
  get channels(): number {
    return this.#subscribers.size
  }

  subscribe(session: SessionId, listener: (wake: Wake) => void): Subscription {
    if (!this.#local.hears(session)) this.#subscribers.want(keysOf(session).channel)
    const subscription = this.#local.subscribe(session, listener)
    let open = true
    return {
      close: () => {
        if (!open) return
        open = false
        subscription.close()
        if (!this.#local.hears(session)) this.#subscribers.drop(keysOf(session).channel)
      },
    }
  }

  send(session: SessionId, payload: string): void {
    this.wake(session, { kind: 'signal', payload })
    this.#publish(keysOf(session).channel, encodeSignal(this.#settings.instance, payload))
  }

  onRestored(listener: () => void): Subscription {
    this.#restored.add(listener)
    return { close: () => this.#restored.delete(listener) }
  }

  /** Whether anybody here listens: a commit need not describe itself to nobody. */
  hears(session: SessionId): boolean {
    return this.#local.hears(session)
  }

  /** To the listeners of this node. Their mistakes are not the commit's. */
  wake(session: SessionId, wake: Wake): void {
    try {
      this.#local.wake(session, wake)
    } catch (error) {
      this.#settings.log.error('signals.listener_failed', { session, error: String(error) })
    }
  }

  /** Wake-ups may have been missed, or history may be another. */
  restored(): void {
    for (const listener of this.#restored) listener()
  }

  close(): void {
    this.#subscribers.close()
  }

  #publish(channel: string, message: string): void {
    if (this.#sending >= MAX_SENDING) return
    void this.#deliver(channel, message)
  }

  async #deliver(channel: string, message: string): Promise<void> {
    this.#sending++
    // Best effort: whether it went is nobody's business. `one` never rejects.
    await this.#settings.link.one([this.#settings.publish, channel, message])
    this.#sending--
  }

  #heard(channel: string, message: string): void {
    const session = sessionOf(channel)
    const wake = session === null ? null : decodeWake(message, this.#settings.instance)
    if (session !== null && wake !== null) this.wake(session, wake)
  }
}
