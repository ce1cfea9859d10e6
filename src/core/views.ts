import { HeldlineError } from '../protocol/errors.ts'
import type { WireEvent } from '../protocol/event.ts'
import { View } from '../protocol/fold/view.ts'
import type { SessionId } from '../protocol/ids.ts'
import { genesis } from '../protocol/position.ts'
import { sessionNotFound } from './commit.ts'
import { judge } from './judge.ts'
import type { Limits } from './limits.ts'
import { loadSnapshot, saveSnapshot, snapshotSerial } from './snapshots.ts'
import type { Page, Store, StoredEvent } from './store.ts'

/**
 * The folded views of sessions that somebody asked for lately: each is brought up to the head when it is asked for, never
 * kept up meanwhile, so that a session whose view nobody wants costs no fold.
 */
export class Views {
  readonly #store: Store
  readonly #limits: Limits
  /** In the order of last use. */
  readonly #cached = new Map<SessionId, { readonly view: View; bytes: number }>()
  readonly #loading = new Map<SessionId, Promise<View>>()
  #bytes = 0

  constructor(store: Store, limits: Limits) {
    this.#store = store
    this.#limits = limits
  }

  /**
   * The view at the head. It is shared: read it in the same turn, do not keep it, do not change it.
   * @throws HeldlineError `session_not_found`
   */
  async at(session: SessionId): Promise<View> {
    const running = this.#loading.get(session)
    if (running !== undefined) return running
    const loading = this.#bringUp(session).finally(() => this.#loading.delete(session))
    this.#loading.set(session, loading)
    return loading
  }

  /** Saves a snapshot at the head when the stored one is more than `behind` events old. @returns the serial of what is stored */
  async persist(session: SessionId, behind: number): Promise<number> {
    const stored = await snapshotSerial(this.#store, session)
    const view = await this.at(session)
    const { serial } = view.position
    if (serial - stored <= behind) return stored
    return (await saveSnapshot(this.#store, session, view)) ? serial : stored
  }

  forget(session: SessionId): void {
    this.#bytes -= this.#cached.get(session)?.bytes ?? 0
    this.#cached.delete(session)
  }

  async #bringUp(session: SessionId): Promise<View> {
    const cached = this.#cached.get(session)
    if (cached !== undefined) {
      const bytes = await this.#follow(session, cached.view)
      if (bytes !== null) return this.#keep(session, cached.view, cached.bytes + bytes)
      this.forget(session)
    }
    const stored = await loadSnapshot(this.#store, session)
    if (stored !== null) {
      const bytes = await this.#follow(session, stored)
      if (bytes !== null) return this.#keep(session, stored, sizeOf(stored) + bytes)
    }
    return this.#fromFloor(session)
  }

  /** Without a snapshot the log itself is all there is; what retention dropped before is gone for good. */
  async #fromFloor(session: SessionId): Promise<View> {
    const [head] = await this.#store.heads([session])
    if (head === null || head === undefined) throw sessionNotFound()
    const view = new View({ epoch: head.epoch, serial: head.floor, tag: head.floorTag })
    if (head.floor === 0) view.position = genesis(head.epoch)
    const bytes = await this.#follow(session, view)
    if (bytes === null) {
      throw new HeldlineError('contention', 'unable to fold; the log changed meanwhile', {
        retryAfterMs: 100,
      })
    }
    return this.#keep(session, view, bytes)
  }

  /** Folds what follows. @returns the bytes folded, or `null` when the view does not belong to this log */
  async #follow(session: SessionId, view: View): Promise<number | null> {
    let bytes = 0
    for (;;) {
      const page = await this.#read(session, view.position.serial)
      if (page === null) throw sessionNotFound()
      const verdict = judge(view.position, page)
      if (verdict.kind === 'reset') return null
      if (verdict.kind === 'current') return bytes
      for (const event of verdict.events) {
        if (!view.apply(parseEvent(event))) return null
        bytes += event.text.length
      }
      if (view.position.serial >= page.head) return bytes
    }
  }

  #read(session: SessionId, after: number): Promise<Page | null> {
    return this.#store.read(session, { after, limit: 1000, maxBytes: this.#limits.pageBytes })
  }

  #keep(session: SessionId, view: View, bytes: number): View {
    this.forget(session)
    this.#cached.set(session, { view, bytes })
    this.#bytes += bytes
    for (const [oldest] of this.#cached) {
      if (this.#bytes <= this.#limits.viewBytesOfAll || oldest === session) break
      this.forget(oldest)
    }
    return view
  }
}

/** The text was encoded by us around data that was checked when it was appended. */
export function parseEvent(event: StoredEvent): WireEvent {
  return JSON.parse(event.text) as WireEvent
}

function sizeOf(view: View): number {
  let bytes = 0
  for (const message of view.messages.values()) bytes += 200 + JSON.stringify(message.parts).length
  return bytes
}
