import type { Redis } from 'ioredis'
import type { Log } from '../../core/log.ts'
import { BUCKETS, bucketOfChannel, probeChannel } from './keys.ts'
import { Subscriber } from './subscriber.ts'
import { Watchdog } from './watchdog.ts'

const REROUTE_MS = 500
const PROBE_MISSES = 2

export interface Route {
  /** Which server has a bucket's channels; `null` while nobody knows. */
  readonly owner: (bucket: number) => string | null
  /** A connection to that server, not yet begun. */
  readonly connect: (owner: string) => Redis
  /** Asks the servers again who has what. */
  readonly refresh: () => void
}

export interface SubscribersSettings {
  readonly route: Route
  readonly sharded: boolean
  readonly instance: string
  readonly log: Log
  readonly probeMs: number
  readonly onMessage: (channel: string, message: string) => void
  readonly onBack: () => void
  /** Publishes through the way of commits. */
  readonly publish: (channel: string, message: string) => void
}

/**
 * The connections that listen: one, or on a Cluster one to each primary that has a channel of ours. Channels follow their slots; and
 * each connection is tried again and again with a message to ourselves, since a dead one looks just like a quiet one.
 */
export class Subscribers {
  readonly #settings: SubscribersSettings
  readonly #connections = new Map<string, Subscriber>()
  /** Wanted channels by bucket, and where they are. */
  readonly #channels = new Map<number, { owner: string | null; readonly names: Set<string> }>()
  readonly #probes = new Map<string, { channel: string; nonce: string; misses: number }>()
  readonly #watchdog: Watchdog
  readonly #timers: readonly NodeJS.Timeout[]
  #closed = false

  constructor(settings: SubscribersSettings) {
    this.#settings = settings
    this.#watchdog = new Watchdog(() => [...this.#connections.values()].map(({ client }) => client))
    this.#timers = [
      setInterval(() => this.#reroute(), REROUTE_MS).unref(),
      setInterval(() => this.#probe(), settings.probeMs).unref(),
    ]
  }

  /** So many channels are wanted. */
  get size(): number {
    let size = 0
    for (const { names } of this.#channels.values()) size += names.size
    return size
  }

  want(channel: string): void {
    const bucket = bucketOfChannel(channel)
    let place = this.#channels.get(bucket)
    if (place === undefined) {
      place = { owner: this.#settings.route.owner(bucket), names: new Set() }
      this.#channels.set(bucket, place)
    }
    place.names.add(channel)
    if (place.owner !== null) this.#connection(place.owner).want(channel)
  }

  drop(channel: string): void {
    const bucket = bucketOfChannel(channel)
    const place = this.#channels.get(bucket)
    if (place === undefined) return
    place.names.delete(channel)
    if (place.owner !== null) this.#connections.get(place.owner)?.drop(channel)
    if (place.names.size === 0) this.#channels.delete(bucket)
  }

  close(): void {
    this.#closed = true
    this.#watchdog.close()
    for (const timer of this.#timers) clearInterval(timer)
    for (const connection of this.#connections.values()) connection.close()
    this.#connections.clear()
  }

  #connection(owner: string): Subscriber {
    const existing = this.#connections.get(owner)
    if (existing !== undefined) return existing
    const { route, sharded, onBack, log } = this.#settings
    const connection = new Subscriber(
      route.connect(owner),
      sharded,
      {
        onMessage: (channel, message) => this.#heard(owner, channel, message),
        onBack,
        onMoved: () => route.refresh(),
      },
      log,
    )
    this.#connections.set(owner, connection)
    return connection
  }

  /** Moves the channels of slots that have moved; closes connections that have nothing left to hear. */
  #reroute(): void {
    for (const [bucket, place] of this.#channels) {
      const owner = this.#settings.route.owner(bucket)
      if (owner === null || owner === place.owner) continue
      const [from, to] = [place.owner, this.#connection(owner)]
      for (const channel of place.names) {
        if (from !== null) this.#connections.get(from)?.drop(channel)
        to.want(channel)
      }
      to.expectLoss()
      place.owner = owner
    }
    const used = new Set([...this.#channels.values()].map(({ owner }) => owner))
    for (const [owner, connection] of this.#connections) {
      if (!this.#settings.sharded || used.has(owner)) continue
      connection.close()
      this.#connections.delete(owner)
      this.#probes.delete(owner)
    }
  }

  #probe(): void {
    for (const [owner, connection] of this.#connections) {
      const probe = this.#probes.get(owner) ?? this.#newProbe(owner, connection)
      if (probe === null || connection.client.status !== 'ready' || this.#closed) continue
      if (probe.nonce !== '' && connection.hears(probe.channel)) probe.misses++
      if (probe.misses >= PROBE_MISSES) {
        this.#settings.log.warn('redis.subscriber_deaf', { owner })
        probe.misses = 0
        probe.nonce = ''
        connection.reset()
        continue
      }
      if (!connection.hears(probe.channel)) continue
      probe.nonce = `${Date.now()}`
      this.#settings.publish(probe.channel, probe.nonce)
    }
  }

  #newProbe(owner: string, connection: Subscriber) {
    const { route, instance } = this.#settings
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (route.owner(bucket) !== owner) continue
      const probe = { channel: probeChannel(bucket, instance), nonce: '', misses: 0 }
      this.#probes.set(owner, probe)
      connection.want(probe.channel)
      return probe
    }
    return null
  }

  #heard(owner: string, channel: string, message: string): void {
    const probe = this.#probes.get(owner)
    if (probe?.channel !== channel) {
      this.#settings.onMessage(channel, message)
      return
    }
    if (message !== probe.nonce) return
    probe.nonce = ''
    probe.misses = 0
  }
}
