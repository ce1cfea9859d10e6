import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Clock } from './clock.ts'
import { sessionNotFound } from './commit.ts'
import type { Cursor, Sink } from './cursor.ts'
import { Feed, type FeedPorts } from './feed.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import { Places } from './places.ts'
import { RecentRoom } from './recent-batches.ts'
import type { Position } from '../protocol/position.ts'
import type { Signals, Subscription, Wake } from './signals.ts'
import type { Store, StoredEvent } from './store.ts'

export interface HubPorts {
  readonly store: Store
  readonly signals: Signals
  readonly clock: Clock
  readonly limits: Limits
  readonly log: Log
}

/** A reader's hold on a feed: its cursor, and the ephemeral signals of the session. */
export interface Following {
  readonly cursor: Cursor
  readonly head: () => Position
  /** Lets go; idempotent. */
  close(): void
}

const HEADS_A_ROUND = 500

/** The sessions that somebody on this node follows: one feed, one subscription each, gone with the last reader. */
export class Hub {
  readonly #ports: HubPorts
  readonly #feeds = new Map<SessionId, { readonly feed: Feed; readonly wakes: Subscription }>()
  readonly #opening = new Map<SessionId, Promise<Feed>>()
  readonly #feedPorts: FeedPorts
  readonly #restored: Subscription
  readonly #arrivals: Places
  #timer: { cancel(): void } | null = null
  #closed = false

  constructor(ports: HubPorts) {
    this.#ports = ports
    this.#arrivals = new Places(ports.limits.arrivalsAtOnce)
    this.#feedPorts = {
      store: ports.store,
      clock: ports.clock,
      limits: ports.limits,
      arrivals: this.#arrivals,
      recentRoom: new RecentRoom(ports.limits.recentBytesOfAll),
      tailBytes: () => this.#tailBytes(),
      failed: (session, error) => ports.log.warn('feed.read_failed', { session, error }),
    }
    this.#restored = ports.signals.onRestored(() => void this.verify())
    this.#schedule()
  }

  get feeds(): number {
    return this.#feeds.size
  }

  /**
   * Follows a session from a position; `null`: from wherever the cursor is moved to.
   * @param onSignal called with each ephemeral signal's payload
   * @throws HeldlineError `session_not_found`, what the store throws
   */
  async follow(
    session: SessionId,
    position: Position | null,
    sink: Sink,
    onSignal: (payload: string) => void,
  ): Promise<Following> {
    let feed = await this.#feed(session)
    // The last reader of this feed may have gone in the moment between: a feed that was let go of hears nothing any more.
    while (this.#feeds.get(session)?.feed !== feed) feed = await this.#feed(session)
    const cursor = feed.open(sink, position ?? feed.head)
    if (position === null) cursor.rest()
    const silence = feed.onSignal(onSignal)
    return {
      cursor,
      head: () => feed.head,
      close: () => {
        silence()
        feed.drop(cursor)
        if (feed.size === 0) this.#drop(feed)
      },
    }
  }

  /**
   * Does what a reader needs to begin, as soon as there is a place for it: live events of the others go by, whoever waits.
   * @throws what the task throws
   */
  arrive<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#arrivals.run(task)
  }

  /** The events after a position that the tail of a followed session holds: what the store would give, unless it has lost them since. */
  recent(session: SessionId, position: Position): readonly StoredEvent[] | null {
    return this.#feeds.get(session)?.feed.recent(position) ?? null
  }

  /** Compares every feed with the store's heads: what heals a lost wake-up. Never throws. */
  async verify(): Promise<void> {
    const feeds = [...this.#feeds.values()].map((entry) => entry.feed)
    for (let start = 0; start < feeds.length; start += HEADS_A_ROUND) {
      const some = feeds.slice(start, start + HEADS_A_ROUND)
      try {
        const heads = await this.#ports.store.heads(some.map((feed) => feed.session))
        for (const [index, feed] of some.entries()) {
          feed.verify(heads[index] ?? null)
          feed.pump()
        }
      } catch (error) {
        this.#ports.log.warn('hub.verify_failed', { feeds: feeds.length, error })
        return
      }
    }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#restored.close()
    for (const { feed, wakes } of this.#feeds.values()) {
      wakes.close()
      feed.close()
    }
    this.#feeds.clear()
  }

  async #feed(session: SessionId): Promise<Feed> {
    if (this.#closed) throw draining()
    const open = this.#feeds.get(session)
    if (open !== undefined) return open.feed
    const opening = this.#opening.get(session) ?? this.#open(session)
    this.#opening.set(session, opening)
    return opening
  }

  /** Subscribes first and reads the head then; a wake-up that comes before the feed is there is looked into at once. */
  async #open(session: SessionId): Promise<Feed> {
    let feed: Feed | null = null
    let early: Wake | null = null
    const wakes = this.#ports.signals.subscribe(session, (wake) => {
      if (feed === null) early = wake
      else feed.wake(wake)
    })
    try {
      const [head] = await this.arrive(() => this.#ports.store.heads([session]))
      if (this.#closed) throw draining()
      if (head === null || head === undefined) throw sessionNotFound()
      feed = new Feed(session, head, this.#feedPorts)
      this.#feeds.set(session, { feed, wakes })
      if (early !== null) feed.verify(null)
      return feed
    } catch (error) {
      wakes.close()
      throw error
    } finally {
      this.#opening.delete(session)
    }
  }

  #drop(feed: Feed): void {
    const entry = this.#feeds.get(feed.session)
    if (entry?.feed !== feed) return
    entry.wakes.close()
    feed.close()
    this.#feeds.delete(feed.session)
  }

  #tailBytes(): number {
    const { tailBytes, tailBytesOfAll } = this.#ports.limits
    return Math.min(tailBytes, tailBytesOfAll / Math.max(1, this.#feeds.size))
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#ports.clock.after(this.#ports.limits.verifyMs, () => {
      void this.verify().finally(() => this.#schedule())
    })
  }
}

function draining(): HeldlineError {
  return new HeldlineError('draining', 'unable to follow; this node goes down')
}
