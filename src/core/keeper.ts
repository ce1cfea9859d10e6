import { isMessageEnd } from '../protocol/codec.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import { CalmLogs } from './calm-logs.ts'
import type { Clock } from './clock.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import { OneATurn } from './one-a-turn.ts'
import type { Random } from './random.ts'
import { CLOSED, DEADLINE, FIELD } from './record.ts'
import { SnapshotMarks } from './snapshot-marks.ts'
import { headerOf, type StoredHeader } from './snapshots.ts'
import type { Committed, DueDeadline, NewEvent, Store, TrimPolicy } from './store.ts'
import { sessionInfo, INFO_FIELDS, type SessionSettings } from './transitions/session.ts'
import type { Views } from './views.ts'

export interface KeeperPorts {
  readonly store: Store
  readonly views: Views
  readonly clock: Pick<Clock, 'defer'>
  readonly random: Random
  readonly limits: Limits
  readonly log: Log
}

/** Looks after a session every so many events or bytes of its log: small enough that bounds are kept closely, large enough to be cheap. */
const LOOK_EVERY_EVENTS = 64
const LOOK_EVERY_BYTES = 64 * 1024
const MAX_AT_ONCE = 4
const MAX_WAITING = 10_000
const TRIM_A_ROUND = 1000

/**
 * Keeps logs within their retention, and views within reach: saves a snapshot when enough has happened since the last, sooner at the end of a
 * message, and trims only what a snapshot holds, so that the view survives its log. Work that is lost with the node is found again with the next commit.
 */
export class Keeper {
  readonly #ports: KeeperPorts
  /** Whom to look after. */
  readonly #looks: OneATurn<Reason>
  /** The size of each large log when it was looked at, in units of LOOK_EVERY_BYTES. */
  readonly #sizes = new Map<SessionId, number>()
  /** Whose view is to be kept up. */
  readonly #behind: OneATurn<null>
  readonly #calm: CalmLogs
  readonly #marks: SnapshotMarks
  #closed = false

  constructor(ports: KeeperPorts) {
    this.#ports = ports
    const { clock, views } = ports
    this.#looks = new OneATurn(clock, MAX_AT_ONCE, (...look) => this.#work(...look))
    this.#behind = new OneATurn(clock, MAX_AT_ONCE, async (id) => views.keepUp(id))
    this.#calm = new CalmLogs(ports.limits.snapshotEveryEvents)
    this.#marks = new SnapshotMarks(ports.limits, (id) => views.lastTextLength(id))
  }

  /** A commit went through on this node. Cheap; what is to be done is done later. */
  committed(session: SessionId, done: Committed, events: readonly NewEvent[]): void {
    const ended = events.some(({ body }) => isMessageEnd(body))
    if (ended && this.#marks.mayBeFar(session, done)) return this.look(session, { done, ended })
    const before = Math.floor((done.first - 1) / LOOK_EVERY_EVENTS)
    const crossed = Math.floor(done.last / LOOK_EVERY_EVENTS) > before
    const large = Math.floor(done.bytes / LOOK_EVERY_BYTES)
    if (large > 0 && this.#sizes.get(session) !== large) this.#remember(session, large)
    else if (!crossed) return
    // While a tail still holds it: read back from the store, an event costs more than its fold.
    if (this.#ports.views.holds(session)) this.#behind.set(session, null)
    if (!this.#calm.has(session, done)) this.look(session, { done, ended: false })
  }

  #remember(session: SessionId, size: number): void {
    if (this.#sizes.size >= MAX_WAITING) this.#sizes.clear()
    this.#sizes.set(session, size)
  }

  look(session: SessionId, reason: Reason = NONE): void {
    if (this.#closed || this.#looks.size >= MAX_WAITING) return
    const ended = reason.ended || this.#looks.get(session)?.ended === true
    this.#looks.set(session, { ...reason, ended })
  }

  /** The deadline of age-based retention, or of an idle session, is due. */
  async due(deadline: DueDeadline): Promise<void> {
    if (deadline.deadline === DEADLINE.expire) return this.#expire(deadline)
    const settings = await this.keep(deadline.session, true)
    const maxAgeMs = settings?.retention.maxAgeMs ?? null
    // Looked at again after a tenth of the age: nothing is kept much longer than asked.
    const inMs = maxAgeMs === null ? null : Math.max(1000, Math.min(maxAgeMs / 10, 3_600_000))
    await this.#ports.store.commit({
      session: deadline.session,
      guards: [{ deadline: deadline.deadline, at: deadline.at }],
      deadlines: [{ deadline: deadline.deadline, inMs }],
    })
  }

  /**
   * Snapshots where it is worth it, and trims what the settings do not keep.
   * @param byAge whether for its age, too: that has a deadline of its own, and no commit makes an event older
   * @returns the settings; `null`: no such session
   */
  async keep(
    session: SessionId,
    byAge: boolean,
    { done, ended }: Reason = NONE,
  ): Promise<SessionSettings | null> {
    const { store, limits, views } = this.#ports
    const fields = await store.fields(session, KEPT_FIELDS)
    if (fields === null) return null
    const { settings } = sessionInfo(session, fields)
    const { maxAgeMs, maxEvents, maxBytes } = settings.retention
    const bounded = maxEvents !== null || maxBytes !== null
    const stored = headerOf(fields)
    if (bounded) this.#calm.delete(session)
    else if (done !== null) this.#calm.add(session, done, stored.serial)
    const far = ended && done !== null && this.#marks.isFar(session, stored.serial, done)
    const behind = far ? 0 : limits.snapshotEveryEvents
    const recent = done !== null && done.last - stored.serial <= behind
    if (recent) await views.refresh(session)
    const header = recent ? stored : await this.#snapshot(session, behind)
    if (done !== null) this.#marks.set(session, done, header.serial)
    let held = heldBy(header)
    // What trims nothing is no work for the writer.
    if (!bounded && !(byAge && maxAgeMs !== null)) return settings
    for (;;) {
      const policy = { ...settings.retention, ...held, limit: TRIM_A_ROUND }
      const trimmed = await store.trim(session, policy)
      if (trimmed === null || this.#closed) return settings
      if (trimmed.more) continue
      if (!(await this.#wantsMore(session, settings))) return settings
      const before = held
      held = heldBy(await this.#snapshot(session, 0))
      if (held.notAfter === before.notAfter) return settings
    }
  }

  /** Lets go of what this node holds of a session that was removed. Other nodes let go of it in time, as of whatever is not used. */
  forget(session: SessionId): void {
    this.#looks.delete(session)
    this.#sizes.delete(session)
    this.#calm.delete(session)
    this.#ports.views.forget(session)
  }

  close(): void {
    this.#closed = true
    this.#looks.clear()
    this.#behind.clear()
  }

  #snapshot(session: SessionId, behind: number): Promise<StoredHeader> {
    const { views, random } = this.#ports
    return views.persist(session, behind, random.id())
  }

  /** Whether the policy would drop more if the snapshot were newer. */
  async #wantsMore(session: SessionId, settings: SessionSettings): Promise<boolean> {
    const { maxEvents, maxBytes, maxAgeMs } = settings.retention
    const page = await this.#ports.store.read(session, { after: 0, limit: 1, maxBytes: 1 })
    const [oldest] = page?.events ?? []
    if (page === null || oldest === undefined) return false
    if (maxEvents !== null && page.head - page.floor > maxEvents) return true
    const result = await this.#ports.store.commit({ session })
    if (result.outcome !== 'committed') return false
    return (
      (maxBytes !== null && result.bytes > maxBytes) ||
      (maxAgeMs !== null && result.at - oldest.at > maxAgeMs)
    )
  }

  /**
   * In two steps, so that no append is lost between looking and removing: first the session is closed to appends, then, when nothing
   * was appended after all, it is removed.
   */
  async #expire(due: DueDeadline): Promise<void> {
    const { store } = this.#ports
    const { session, deadline, at } = due
    const fields = await store.fields(session, [...INFO_FIELDS])
    const ttlMs = fields === null ? null : sessionInfo(session, fields).settings.ttlMs
    const guards = [{ deadline, at }]
    if (fields === null) return
    if (ttlMs === null) {
      await store.commit({ session, guards, deadlines: [{ deadline, inMs: null }] })
      return
    }
    const closed = fields.get(FIELD.closed) ?? null
    const idleMs = await this.#idleMs(session)
    if (idleMs < ttlMs) {
      const reopened = closed === CLOSED.expiring
      await store.commit({
        session,
        guards: [...guards, { field: FIELD.closed, equals: closed }],
        writes: reopened ? [{ field: FIELD.closed, value: null }] : [],
        deadlines: [{ deadline, inMs: ttlMs - idleMs }],
      })
    } else if (closed !== null) {
      await store.remove(session, { deadline, at })
      this.forget(session)
    } else {
      const writes = [{ field: FIELD.closed, value: CLOSED.expiring }]
      const all = [...guards, { field: FIELD.closed, equals: closed }]
      await store.commit({ session, guards: all, writes, deadlines: [{ deadline, inMs: 1000 }] })
    }
  }

  /** How long ago the last event was, by the store's clock. */
  async #idleMs(session: SessionId): Promise<number> {
    const { store } = this.#ports
    const [head] = await store.heads([session])
    if (head === null || head === undefined) return 0
    const range = { after: Math.max(0, head.head - 1), limit: 1, maxBytes: 1 }
    const page = await store.read(session, range)
    const now = await store.commit({ session })
    const last = page?.events.at(-1)
    return now.outcome === 'committed' && last !== undefined ? now.at - last.at : Infinity
  }

  async #work(session: SessionId, reason: Reason): Promise<void> {
    try {
      await this.keep(session, false, reason)
    } catch (error) {
      // Not a look that counts: the next commit is looked at again.
      this.#calm.delete(session)
      const gone = error instanceof HeldlineError && error.code === 'session_not_found'
      if (!gone) this.#ports.log.warn('keeper.failed', { session, error })
    }
  }
}

/** Why a session is looked at. */
interface Reason {
  /** The commit that is the reason, if one is. */
  readonly done: Committed | null
  /** Whether a message has ended: people come to read it, also where no view is held. */
  readonly ended: boolean
}

const NONE: Reason = { done: null, ended: false }

const KEPT_FIELDS = [...INFO_FIELDS, FIELD.snapshot] as const

/** What may be dropped because of a snapshot. */
type Held = Pick<TrimPolicy, 'notAfter' | 'guard'>

/**
 * The newest serial that may be dropped, as long as the snapshot is the one that is stored. The event that it stands at stays, and with it
 * the newest of all, which tells idleness.
 */
function heldBy({ serial, text }: StoredHeader): Held {
  return { notAfter: Math.max(0, serial - 1), guard: { field: FIELD.snapshot, equals: text } }
}
