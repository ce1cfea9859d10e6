import type { MemberKind } from '../protocol/capabilities.ts'
import type { By, Member } from '../protocol/event.ts'
import type { MemberId, SessionId } from '../protocol/ids.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { Grant } from './access.ts'
import { run } from './commit.ts'
import type { Clock } from './clock.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import type { Random } from './random.ts'
import { DEADLINE, FIELD } from './record.ts'
import type { DueDeadline, Store } from './store.ts'
import { enter, expire, leave } from './transitions/member.ts'

export interface PresencePorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly limits: Limits
  readonly log: Log
}

interface Held {
  readonly session: SessionId
  readonly member: MemberId
  readonly connection: string
  /** The record's text as this connection wrote it. */
  text: string
}

/**
 * The members that sockets of this node speak for. Their deadlines are put off while the socket lives; when it is lost, the deadline is set to
 * the grace, and whichever node sees it due goes on from there. [P-5.4]
 */
export class Presence {
  readonly #ports: PresencePorts
  readonly #held = new Map<string, Held>()
  /** One change at a time a session, so that many who join together do not conflict with each other. */
  readonly #queues = new Map<SessionId, Promise<unknown>>()
  #timer: { cancel(): void } | null = null
  #closed = false

  constructor(ports: PresencePorts) {
    this.#ports = ports
    this.#schedule()
  }

  /** @returns the member's id. @throws HeldlineError `forbidden`, `presence_limit`, `session_closed`, `session_not_found` */
  async enter(
    session: SessionId,
    request: PresenceRequest,
    grant: Grant,
    connection: string,
    ttlMs?: number,
  ): Promise<MemberId> {
    const member = describe(request, grant, connection)
    const { limits } = this.#ports
    const transition = enter(
      {
        session,
        member,
        connection,
        by: { subject: grant.subject, member: member.member },
        ttlMs: ttlMs ?? limits.presenceTtlMs,
        maxMembers: limits.maxMembers,
      },
      this.#ports.random,
    )
    const text = await this.#inTurn(session, () => run(this.#ports.store, transition))
    const id = member.member as MemberId
    if (ttlMs === undefined)
      this.#held.set(key(session, id), { session, member: id, connection, text })
    return id
  }

  /** Leaves at once. `connection` given: only while that connection is the member's newest. @returns whether somebody left */
  async leave(session: SessionId, member: MemberId, by: By, connection?: string): Promise<boolean> {
    const held = this.#held.get(key(session, member))
    if (connection !== undefined && held?.connection !== connection) return false
    this.#held.delete(key(session, member))
    const only = connection === undefined ? undefined : held?.text
    const transition = leave(
      { session, member, by, ...(only !== undefined && { only }) },
      this.#ports.random,
    )
    return this.#inTurn(session, () => run(this.#ports.store, transition))
  }

  /** The socket is gone: after the grace the member is seen as not connected, unless it is back. Never throws. */
  async lost(session: SessionId, member: MemberId, connection: string): Promise<void> {
    const held = this.#held.get(key(session, member))
    if (held === undefined || held.connection !== connection) return
    this.#held.delete(key(session, member))
    try {
      await this.#putOff(session, [held], this.#ports.limits.presenceGraceMs)
    } catch (error) {
      // The deadline that is set already fires later instead.
      this.#ports.log.warn('presence.lost_failed', { session, error })
    }
  }

  /** A member's deadline is due. */
  async expire(due: DueDeadline): Promise<void> {
    const { presenceWindowMs, presenceGraceMs } = this.#ports.limits
    const member = due.deadline.slice(DEADLINE.member('').length) as MemberId
    const awayMs = presenceWindowMs - presenceGraceMs
    const transition = expire(
      { session: due.session, member, at: due.at, awayMs },
      this.#ports.random,
    )
    await this.#inTurn(due.session, () => run(this.#ports.store, transition))
  }

  /** Puts off the deadlines of all members held here. Never throws. */
  async refresh(): Promise<void> {
    const bySession = Map.groupBy(this.#held.values(), (held) => held.session)
    for (const [session, held] of bySession) {
      try {
        await this.#putOff(session, held, this.#ports.limits.presenceTtlMs)
      } catch (error) {
        this.#ports.log.warn('presence.refresh_failed', { session, error })
      }
    }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Only for members whose record still is what their connection wrote: a newer connection looks after itself. */
  async #putOff(session: SessionId, held: readonly Held[], inMs: number): Promise<void> {
    for (let start = 0; start < held.length; start += 200) {
      let some = held.slice(start, start + 200)
      while (some.length > 0) {
        const result = await this.#ports.store.commit({
          session,
          guards: some.map((one) => ({ field: FIELD.member(one.member), equals: one.text })),
          deadlines: some.map((one) => ({ deadline: DEADLINE.member(one.member), inMs })),
        })
        if (result.outcome !== 'conflict') break
        const still = some.filter((one) => result.fields.get(FIELD.member(one.member)) === one.text)
        for (const one of some) if (!still.includes(one)) this.#forget(one)
        some = still
      }
    }
  }

  #forget(held: Held): void {
    const name = key(held.session, held.member)
    if (this.#held.get(name) === held) this.#held.delete(name)
  }

  async #inTurn<T>(session: SessionId, task: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(session) ?? Promise.resolve()
    const mine = before.then(task, task)
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    this.#queues.set(session, settled)
    try {
      return await mine
    } finally {
      if (this.#queues.get(session) === settled) this.#queues.delete(session)
    }
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#ports.clock.after(this.#ports.limits.presenceTtlMs / 3, () => {
      void this.refresh().finally(() => this.#schedule())
    })
  }
}

/** @throws HeldlineError `forbidden` when the credentials do not allow the kind */
function describe(
  request: PresenceRequest,
  grant: Grant,
  connection: string,
): Omit<Member, 'connected'> {
  const kind: MemberKind = request.kind ?? (grant.kind === 'any' ? 'agent' : grant.kind)
  if (grant.kind !== 'any' && grant.kind !== kind) {
    throw new HeldlineError(
      'forbidden',
      `unable to enter; the credentials do not allow the kind ${kind}`,
    )
  }
  return {
    member: request.member ?? connection,
    subject: grant.subject,
    kind,
    visible: request.visible ?? true,
    ...(request.status !== undefined && { status: request.status }),
    ...(request.data !== undefined && { data: request.data }),
  }
}

function key(session: SessionId, member: MemberId): string {
  return `${session} ${member}`
}

/** How many subjects of each kind are attached: members of one subject count once. [P-5.5] */
export function countAttached(members: Iterable<Member>): Record<MemberKind, number> {
  const seen = new Set<string>()
  const counts = { human: 0, agent: 0, supervisor: 0 }
  for (const { connected, kind, subject } of members) {
    if (!connected || seen.has(`${kind} ${subject}`)) continue
    seen.add(`${kind} ${subject}`)
    counts[kind]++
  }
  return counts
}
