import type { By } from '../protocol/event.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Clock } from './clock.ts'
import { run, sessionNotFound } from './commit.ts'
import type { Deliveries } from './deliveries.ts'
import { eventsAfter, type EventsPage } from './read-events.ts'
import { isInternal } from './internal-session.ts'
import type { Keeper } from './keeper.ts'
import type { Limits } from './limits.ts'
import type { Random } from './random.ts'
import type { Signals } from './signals.ts'
import type { ListPage, LogHead, Store } from './store.ts'
import { append, type Appended, type AppendRequest } from './transitions/append.ts'
import { markRead } from './transitions/read.ts'
import {
  close,
  create,
  INFO_FIELDS,
  patch,
  sessionInfo,
  type CreateRequest,
  type PatchRequest,
  type SessionInfo,
} from './transitions/session.ts'
import type { Position } from '../protocol/position.ts'

export interface SessionsPorts {
  readonly store: Store
  readonly signals: Signals
  readonly clock: Clock
  readonly random: Random
  readonly limits: Limits
  readonly keeper: Keeper
  readonly deliveries: Pick<Deliveries, 'readUpTo'>
}

/** What one can do with sessions: the verbs that the faces offer. Rights are checked by the face that knows the caller. */
export class Sessions {
  readonly #ports: SessionsPorts

  constructor(ports: SessionsPorts) {
    this.#ports = ports
  }

  /** Makes the session, or finds it. @returns what it is, and whether it was made now */
  async open(
    request: CreateRequest,
  ): Promise<{ readonly info: SessionInfo; readonly created: boolean }> {
    const { store, random, clock } = this.#ports
    const created = await run(store, create(request, random, clock.now()))
    return { info: await this.info(request.session), created }
  }

  /** @throws HeldlineError `session_not_found` */
  async info(session: SessionId): Promise<SessionInfo> {
    const fields = await this.#ports.store.fields(session, INFO_FIELDS)
    if (fields === null) throw sessionNotFound()
    return sessionInfo(session, fields)
  }

  async head(session: SessionId): Promise<LogHead> {
    const [head] = await this.#ports.store.heads([session])
    if (head === null || head === undefined) throw sessionNotFound()
    return head
  }

  /** The server's own sessions are left out. */
  async list(query: { cursor: string | null; limit: number; prefix: string }): Promise<ListPage> {
    const page = await this.#ports.store.list({ ...query, fields: INFO_FIELDS })
    return { ...page, sessions: page.sessions.filter(({ session }) => !isInternal(session)) }
  }

  patch(request: PatchRequest): Promise<SessionInfo> {
    return run(this.#ports.store, patch(request, this.#ports.random))
  }

  close(request: { session: SessionId; by: By; reason?: string }): Promise<void> {
    return run(this.#ports.store, close(request, this.#ports.random))
  }

  async remove(session: SessionId): Promise<void> {
    const { store, keeper } = this.#ports
    if (!(await store.remove(session))) throw sessionNotFound()
    keeper.forget(session)
  }

  append(request: AppendRequest): Promise<Appended> {
    const { store, random, keeper } = this.#ports
    return run(store, append(request, random), (...done) => {
      keeper.committed(request.session, ...done)
    })
  }

  /** Events after a position or serial; waits up to `waitMs` for the first one. */
  events(
    session: SessionId,
    after: Position | number,
    options: { readonly limit: number; readonly waitMs: number; readonly signal?: AbortSignal },
  ): Promise<EventsPage> {
    return eventsAfter(this.#ports, session, after, options)
  }

  /** @returns the serial up to which the subject has read, which may be higher than what was asked for */
  async markRead(session: SessionId, subject: string, serial: number): Promise<number> {
    const { head } = await this.head(session)
    const request = { session, subject, serial: Math.min(serial, head) }
    const read = await run(this.#ports.store, markRead(request))
    // Also where it had read so far before: the one who recorded it may have died before it came to this.
    if (read.awaited) await this.#ports.deliveries.readUpTo(session, subject, read.serial)
    return read.serial
  }
}
