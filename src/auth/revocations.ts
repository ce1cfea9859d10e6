import * as z from 'zod'
import type { Grant, Revocations } from '../core/access.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { internalSession } from '../core/internal-session.ts'
import type { Log } from '../core/log.ts'
import type { Random } from '../core/random.ts'
import type { Signals, Subscription } from '../core/signals.ts'
import type { CommitRequest, Committed, DueDeadline, Page, Store } from '../core/store.ts'
import { encodeBody } from '../protocol/codec.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { GENESIS_TAG, type Epoch, type Tag } from '../protocol/ids.ts'
import {
  issuedUntil,
  KEPT_MS,
  RevokedTokens,
  revokedSchema,
  type Revoked,
} from './revoked-tokens.ts'

export interface RevocationPorts {
  readonly store: Store
  readonly signals: Signals
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** How many are kept at a time; 100,000 unless said. */
  readonly maxKept?: number
}

/** What became of it; times in milliseconds since 1970. */
export interface Revocation {
  /** Tokens of the subject that were issued up to then are not good any more. */
  readonly issuedUntil?: number
  readonly keptUntil: number
}

/** Where all nodes read what was taken back: the log of a session of the server itself. */
const SESSION = internalSession('~revocations')
const DEADLINE = 'revocation'
/** A lost wake-up costs so long at most, and the store's answer. */
const READ_EVERY_MS = 15_000
const MAX_KEPT = 100_000
const PAGE = { limit: 500, maxBytes: 256 * 1024 }

/** How far the log was read. `epoch: null`: not yet. */
interface Place {
  readonly epoch: Epoch | null
  readonly serial: number
  readonly tag: Tag
}

const NOWHERE: Place = { epoch: null, serial: 0, tag: GENESIS_TAG }

/** Tokens that were taken back, on any node: written to a log that every node follows, and kept in memory. [P-6.8] */
export class TokenRevocations implements Revocations {
  readonly #ports: RevocationPorts
  readonly #revoked = new RevokedTokens()
  readonly #listeners = new Set<() => void>()
  readonly #subscriptions: Subscription[] = []
  #place = NOWHERE
  #reading: Promise<void> | null = null
  /** Woken while it read: what it reads may be from before. */
  #again = false
  #timer: Timer | null = null
  #closed = false

  constructor(ports: RevocationPorts) {
    this.#ports = ports
  }

  has(grant: Grant): boolean {
    return this.#revoked.has(grant)
  }

  onRevoked(listener: () => void): Subscription {
    const entry = (): void => listener()
    this.#listeners.add(entry)
    return { close: () => void this.#listeners.delete(entry) }
  }

  /** How many are kept. */
  get size(): number {
    return this.#revoked.size
  }

  /** Listens, and reads all that is kept. Nobody may be let in before. @throws what the store throws */
  async open(): Promise<void> {
    const { signals } = this.#ports
    this.#subscriptions.push(
      signals.subscribe(SESSION, ({ kind }) => void (kind !== 'signal' && this.sync())),
      signals.onRestored(() => void this.sync()),
    )
    await this.#readOn()
    this.#schedule()
  }

  /**
   * Takes back. On this node it holds when this resolves.
   * @param by the subject that asks
   * @throws HeldlineError `rate_limited`, what the store throws
   */
  async revoke(by: string, what: Revoked): Promise<Revocation> {
    const { random, clock, log, maxKept = MAX_KEPT } = this.#ports
    this.#revoked.forget(clock.now())
    if (this.#revoked.size >= maxKept) {
      const detail = `unable to revoke; ${maxKept} revocations are kept already`
      throw new HeldlineError('rate_limited', detail, { retryAfterMs: 60_000 })
    }
    const body = encodeBody('token.revoked', random.id(), { subject: by }, JSON.stringify(what))
    const { at } = await this.#commit({
      events: [{ tag: random.tag(), body }],
      deadlines: [{ deadline: DEADLINE, inMs: KEPT_MS }],
    })
    this.#add([{ what, at }])
    // Each makes room for itself: the deadline alone would be put off again and again.
    this.#trim().catch((error: unknown) => log.warn('revocations.trim_failed', { error }))
    const keptUntil = at + KEPT_MS
    return 'jti' in what ? { keptUntil } : { issuedUntil: issuedUntil(at), keptUntil }
  }

  /** Reads what others have taken back. Never throws. */
  async sync(): Promise<void> {
    if (this.#closed) return
    this.#again = true
    this.#reading ??= this.#readWhileWoken()
    await this.#reading
  }

  /** For the sweeper: drops what no token could be good for any more. */
  async expire(due: DueDeadline): Promise<void> {
    const left = await this.#trim()
    await this.#ports.store.commit({
      session: due.session,
      guards: [{ deadline: due.deadline, at: due.at }],
      deadlines: [{ deadline: due.deadline, inMs: left ? KEPT_MS : null }],
    })
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const subscription of this.#subscriptions) subscription.close()
    this.#listeners.clear()
  }

  async #readWhileWoken(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      try {
        await this.#readOn()
      } catch (error) {
        // What is known goes on being refused; the next look is soon.
        this.#ports.log.warn('revocations.read_failed', { error })
      }
    }
    // In the turn of that last look: whoever is woken after it begins anew.
    this.#reading = null
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const page = await this.#ports.store.read(SESSION, { after: this.#place.serial, ...PAGE })
      if (page === null) this.#place = NOWHERE
      if (page === null) return
      if (!follows(this.#place, page)) {
        // Lost data, or more of it than is kept: all that there is, again. What is known stays.
        this.#place = NOWHERE
        continue
      }
      const last = page.events.at(-1)
      const { serial, tag } = last ?? { serial: page.head, tag: page.tag }
      this.#place = { epoch: page.epoch, serial, tag }
      this.#add(page.events.map(({ text }) => eventSchema.parse(JSON.parse(text))))
      if (serial >= page.head) return
    }
  }

  #add(entries: readonly { readonly what: Revoked; readonly at: number }[]): void {
    const isNew = entries.map(({ what, at }) => this.#revoked.add(what, at)).includes(true)
    this.#revoked.forget(this.#ports.clock.now())
    if (isNew) for (const listener of this.#listeners) listener()
  }

  /** @returns whether any is left */
  async #trim(): Promise<boolean> {
    const { store } = this.#ports
    for (;;) {
      const [head] = await store.heads([SESSION])
      if (head === null || head === undefined) return false
      const bounds = { maxEvents: null, maxBytes: null, maxAgeMs: KEPT_MS, limit: 1000 }
      const done = await store.trim(SESSION, { ...bounds, notAfter: head.head })
      if (done?.more !== true) return done !== null && done.floor < head.head
    }
  }

  /** The session is made when it is first needed; two nodes may try at once. */
  async #commit(change: Omit<CommitRequest, 'session' | 'create'>): Promise<Committed> {
    const { store, random } = this.#ports
    for (const create of [undefined, { epoch: random.epoch() }, undefined]) {
      const request = { session: SESSION, ...(create && { create }), ...change }
      const result = await store.commit(request)
      if (result.outcome === 'committed') return result
    }
    throw new HeldlineError('contention', 'unable to revoke; try again')
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#ports.clock.after(READ_EVERY_MS, () => {
      this.#revoked.forget(this.#ports.clock.now())
      void this.sync().finally(() => this.#schedule())
    })
  }
}

/** Whether a page goes on where the log was read to. Where nothing was read, everything does. */
function follows({ epoch, serial, tag }: Place, page: Page): boolean {
  if (epoch === null) return true
  if (page.epoch !== epoch) return false
  const [next] = page.events
  return next === undefined
    ? page.head === serial && page.tag === tag
    : next.serial === serial + 1 && next.prev === tag
}

const eventSchema = z
  .object({ at: z.number(), data: revokedSchema })
  .transform(({ at, data }) => ({ what: data, at }))
