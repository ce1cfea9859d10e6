import { isApplicationEvent } from '../protocol/codec.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { WireEvent } from '../protocol/event.ts'
import { View } from '../protocol/fold/view.ts'
import type { SessionId } from '../protocol/ids.ts'
import { genesis, type Position } from '../protocol/position.ts'
import { sessionNotFound } from './commit.ts'
import type { Frame } from './frame.ts'
import { judge } from './judge.ts'
import type { Limits } from './limits.ts'
import { messageText } from './message-text.ts'
import { SnapshotFrames } from './snapshot-frames.ts'
import { loadSnapshot, saveSnapshot, storedHeader, type StoredHeader } from './snapshots.ts'
import type { Page, Store, StoredEvent } from './store.ts'

/** What a view takes that holds next to nothing: objects and tables. */
const VIEW_BYTES = 2048

/** How often another node may save and trim in the middle of a fold. */
const MAX_ATTEMPTS = 5

/**
 * The events after a position that this node holds at any rate, or `null`. They are in a chain from that very position, but perhaps in a history that
 * the store has lost: whoever takes them asks the store afterwards.
 */
export type RecentEvents = (session: SessionId, after: Position) => readonly StoredEvent[] | null

/**
 * The folded views of sessions that somebody asked for lately: each is brought up to the head when it is asked for, never
 * read for meanwhile, so that a session whose view nobody wants costs no fold.
 */
export class Views {
  readonly #store: Store
  readonly #limits: Limits
  /** In the order of last use. */
  readonly #cached = new Map<SessionId, { readonly view: View; bytes: number }>()
  readonly #loading = new Map<SessionId, Promise<View>>()
  readonly #frames: SnapshotFrames
  readonly #recent: RecentEvents
  #bytes = 0

  constructor(store: Store, limits: Limits, recent: RecentEvents = () => null) {
    this.#store = store
    this.#limits = limits
    this.#recent = recent
    this.#frames = new SnapshotFrames(limits)
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

  /**
   * The view at the head as the frames of a snapshot, the same ones for everybody as long as nothing happens.
   * @throws HeldlineError `session_not_found`
   */
  async frames(session: SessionId): Promise<readonly Frame[]> {
    return this.#frames.of(session, await this.at(session))
  }

  /**
   * Saves a snapshot at the head when the stored one is more than `behind` events old.
   * @param name never the same twice
   * @returns what is stored
   */
  async persist(session: SessionId, behind: number, name: string): Promise<StoredHeader> {
    const stored = await storedHeader(this.#store, session)
    const view = await this.at(session)
    if (view.position.serial - stored.serial <= behind) return stored
    return (await saveSnapshot(this.#store, session, view, name)) ?? stored
  }

  holds(session: SessionId): boolean {
    return this.#cached.has(session)
  }

  /** Folds into a view that is held already what this node holds of the log, so that less is to be read when somebody asks for it. */
  keepUp(session: SessionId): void {
    const cached = this.#cached.get(session)
    if (cached === undefined || this.#loading.has(session)) return
    const bytes = this.#foldRecent(session, cached.view)
    cached.bytes += bytes
    this.#bytes += bytes
  }

  /** How long the message that was started last is, as far as a view that is held has folded it; 0 where none is. */
  lastTextLength(session: SessionId): number {
    const view = this.#cached.get(session)?.view
    const { parts = [] } = view?.messages.get(view.tip ?? '') ?? {}
    return parts.reduce((sum, { text = '' }) => sum + text.length, 0)
  }

  /** Brings up a view that is held already, so that who joins next waits for little. */
  async refresh(session: SessionId): Promise<void> {
    if (this.holds(session)) await this.at(session)
  }

  /** Lets go of what it holds of a session that was removed. */
  forget(session: SessionId): void {
    this.#drop(session)
    this.#frames.forget(session)
  }

  #drop(session: SessionId): void {
    this.#bytes -= this.#cached.get(session)?.bytes ?? 0
    this.#cached.delete(session)
  }

  async #bringUp(session: SessionId): Promise<View> {
    const cached = this.#cached.get(session)
    if (cached !== undefined) {
      const { view } = cached
      const recent = this.#foldRecent(session, view)
      const bytes = await this.#follow(session, view, null)
      if (bytes !== null) return this.#keep(session, view, cached.bytes + recent + bytes)
      this.#drop(session)
    }
    // What this node holds may be what led astray: from here on the store alone is asked.
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const stored = await loadSnapshot(this.#store, session)
      const view = stored?.view ?? (await this.#atFloor(session))
      if (view === null) continue
      const size = VIEW_BYTES + sizeOf(view)
      const bytes = await this.#follow(session, view, stored?.ahead ?? null)
      if (bytes !== null) return this.#keep(session, view, size + bytes)
    }
    throw new HeldlineError('contention', 'unable to fold; the log changed meanwhile', {
      retryAfterMs: 100,
    })
  }

  /**
   * Without a snapshot the log itself is all there is; what retention dropped before is gone for good.
   * @returns `null` when a snapshot was saved meanwhile: what the log dropped since then is in it
   */
  async #atFloor(session: SessionId): Promise<View | null> {
    const [head] = await this.#store.heads([session])
    if (head === null || head === undefined) throw sessionNotFound()
    if (head.floor === 0) return new View(genesis(head.epoch))
    if ((await storedHeader(this.#store, session)).serial > 0) return null
    return new View({ epoch: head.epoch, serial: head.floor, tag: head.floorTag })
  }

  /** Folds what has just passed through this node, so that it is not read back from the store. @returns the bytes folded */
  #foldRecent(session: SessionId, view: View): number {
    let bytes = 0
    for (;;) {
      const events = this.#recent(session, view.position)
      if (events === null) return bytes
      for (const event of events) {
        if (!take(view, event)) return bytes
        bytes += event.text.length
      }
    }
  }

  /**
   * Folds what follows.
   * @param ahead what some of the view's messages hold already: it must be passed on the way
   * @returns the bytes folded, or `null` when the view does not belong to this log
   */
  async #follow(session: SessionId, view: View, ahead: Position | null): Promise<number | null> {
    let bytes = 0
    for (;;) {
      const page = await this.#read(session, view.position.serial)
      if (page === null) throw sessionNotFound()
      const verdict = judge(view.position, page)
      if (verdict.kind === 'reset') return null
      if (verdict.kind === 'current') return passed(view.position, ahead) ? bytes : null
      for (const event of verdict.events) {
        if (!take(view, event)) return null
        if (event.serial === ahead?.serial && event.tag !== ahead.tag) return null
        bytes += event.text.length
      }
      if (view.position.serial >= page.head) return passed(view.position, ahead) ? bytes : null
    }
  }

  #read(session: SessionId, after: number): Promise<Page | null> {
    return this.#store.read(session, { after, limit: 1000, maxBytes: 2 * this.#limits.pageBytes })
  }

  #keep(session: SessionId, view: View, bytes: number): View {
    this.#drop(session)
    this.#cached.set(session, { view, bytes })
    this.#bytes += bytes
    for (const [oldest] of this.#cached) {
      if (this.#bytes <= this.#limits.viewBytesOfAll || oldest === session) break
      this.#drop(oldest)
    }
    return view
  }
}

/** An event of an application changes nothing that people see: it is passed over without being read. */
function take(view: View, event: StoredEvent): boolean {
  return isApplicationEvent(event.text) ? view.pass(event) : view.apply(parseEvent(event))
}

/** The text was encoded by us around data that was checked when it was appended. */
function parseEvent(event: StoredEvent): WireEvent {
  return JSON.parse(event.text) as WireEvent
}

function passed(position: Position, ahead: Position | null): boolean {
  return ahead === null || position.serial >= ahead.serial
}

/** The messages, and the texts that were made of them. */
function sizeOf(view: View): number {
  let bytes = 0
  for (const message of view.messages.values()) bytes += 2 * messageText(message).length
  return bytes
}
