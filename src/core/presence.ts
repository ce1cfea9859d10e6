import type { By } from '../protocol/event.ts'
import type { MemberId, SessionId } from '../protocol/ids.ts'
import type { PresenceRequest } from '../protocol/frames-up.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { Grant } from './access.ts'
import { run } from './commit.ts'
import type { Clock } from './clock.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import { describeMember } from './member-request.ts'
import { putOffMembers } from './put-off-members.ts'
import type { Random } from './random.ts'
import { DEADLINE, FIELD } from './record.ts'
import type { DueDeadline, Store } from './store.ts'
import { enter, expire, leave, parseMember, type EnterRequest } from './transitions/member.ts'
import { Turns } from './turns.ts'
import type { WebhookEvents } from './webhook.ts'

export interface PresencePorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly limits: Limits
  readonly log: Log
  /** What the webhook is told of; without it, of nothing. */
  readonly webhookEvents?: WebhookEvents
}

/** So many who are no members may wait with all members of a session, which may come back to one node at once. */
const MAX_MORE_WAITING = 256

interface Held {
  readonly session: SessionId
  readonly member: MemberId
  readonly connection: string
  /** The record's text as this connection wrote it; `null`: a newer connection speaks for the member. */
  readonly text: string | null
  /** 0 where a newer one speaks: then whoever is there comes first. */
  readonly turn: number
  /** What this connection last said of the member, to be said again after a gap. */
  readonly said: EnterRequest
}

/**
 * The members that sockets of this node speak for. Their deadlines are put off while the socket lives; when it is lost, the deadline is set to
 * the grace, and whichever node sees it due goes on from there. [P-5.4]
 */
export class Presence {
  readonly #ports: PresencePorts
  readonly #tells: WebhookEvents
  readonly #held = new Map<string, Held>()
  /** One change at a time a session, so that many who join together do not conflict with each other. */
  readonly #turns: Turns
  #timer: { cancel(): void } | null = null
  #closed = false

  constructor(ports: PresencePorts) {
    this.#ports = ports
    this.#tells = ports.webhookEvents ?? new Set()
    this.#turns = new Turns(ports.limits.maxMembers + MAX_MORE_WAITING)
    this.#schedule()
  }

  /** How many members this node speaks for. */
  get size(): number {
    return this.#held.size
  }

  /** @returns the member's id. @throws HeldlineError `contention`, `forbidden`, `presence_limit`, `session_closed`, `session_not_found` */
  async enter(
    session: SessionId,
    request: PresenceRequest,
    grant: Grant,
    connection: string,
    ttlMs?: number,
  ): Promise<MemberId> {
    const member = describeMember(request, grant, connection)
    const { limits } = this.#ports
    const said: EnterRequest = {
      session,
      member,
      connection,
      by: { subject: grant.subject, member: member.member },
      ttlMs: ttlMs ?? limits.presenceTtlMs,
      maxMembers: limits.maxMembers,
      tells: this.#tells,
    }
    await this.#turns.run(session, async () => {
      if (ttlMs === undefined) return this.#say(said)
      await run(this.#ports.store, enter(said, this.#ports.random))
    })
    return member.member as MemberId
  }

  /**
   * Leaves at once. `connection` given: only while that connection is the member's newest. Then it is never refused, as this node would go on to speak for
   * the member; a connection has a bounded number of frames without an answer, and each leaves once.
   * @returns whether somebody left @throws HeldlineError `contention` without `connection`
   */
  leave(session: SessionId, member: MemberId, by: By, connection?: string): Promise<boolean> {
    const turn = connection === undefined ? 'run' : 'insist'
    return this.#turns[turn](session, async () => {
      const name = key(session, member)
      const held = this.#held.get(name)
      if (connection !== undefined && held?.connection !== connection) return false
      this.#held.delete(name)
      if (connection !== undefined && held?.text === null) return false
      // Somebody else's word: the node that speaks for the member finds it with its next refresh, or the one after.
      const rememberMs = this.#ports.limits.presenceTtlMs
      const only = held?.text ?? null
      const said = { session, member, by, tells: this.#tells }
      const request =
        connection === undefined
          ? { ...said, rememberMs }
          : { ...said, ...(only !== null && { only }) }
      return run(this.#ports.store, leave(request, this.#ports.random))
    })
  }

  /**
   * The socket is gone: after the grace the member is seen as not connected, unless it is back. Never throws, and never refused: each connection is lost
   * once, with one member a session.
   */
  lost(session: SessionId, member: MemberId, connection: string): Promise<void> {
    return this.#turns.insist(session, async () => {
      const held = this.#held.get(key(session, member))
      if (held === undefined || held.connection !== connection) return
      this.#held.delete(key(session, member))
      try {
        await putOffMembers(this.#ports.store, session, [held], this.#ports.limits.presenceGraceMs)
      } catch (error) {
        // The deadline that is set already fires later instead.
        this.#ports.log.warn('presence.lost_failed', { session, error })
      }
    })
  }

  /**
   * A member's deadline is due. Where its socket is here and alive, it was this node that slept: nobody saw the member go. Never refused: the sweeper
   * brings a page of deadlines, and waits for it before the next.
   */
  async expire(due: DueDeadline): Promise<void> {
    const { presenceWindowMs, presenceGraceMs } = this.#ports.limits
    const member = due.deadline.slice(DEADLINE.member('').length) as MemberId
    const awayMs = presenceWindowMs - presenceGraceMs
    const transition = expire(
      { session: due.session, member, at: due.at, awayMs, tells: this.#tells },
      this.#ports.random,
    )
    await this.#turns.insist(due.session, async () => {
      const held = this.#held.get(key(due.session, member))
      if (held !== undefined) {
        await this.#refresh(due.session, [held])
        const still = this.#held.get(key(due.session, member))
        if (still !== undefined && still.text !== null) return
      }
      await run(this.#ports.store, transition)
    })
  }

  /**
   * Puts off the deadlines of all members held here, and says again who was thought to be gone. Never throws, and never refused: there is one at a time,
   * which waits for a session before it goes to the next.
   */
  async refresh(): Promise<void> {
    const bySession = Map.groupBy(this.#held.values(), (held) => held.session)
    for (const [session, held] of bySession) {
      try {
        await this.#turns.insist(session, () => this.#refresh(session, held))
      } catch (error) {
        this.#ports.log.warn('presence.refresh_failed', { session, error })
      }
    }
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #refresh(session: SessionId, all: readonly Held[]): Promise<void> {
    const held = all.filter((one) => this.#isHeld(one))
    const changed = await putOffMembers(
      this.#ports.store,
      session,
      held,
      this.#ports.limits.presenceTtlMs,
    )
    for (const [one, text] of changed) {
      if (!this.#isHeld(one)) continue
      // Thought to be gone, while this node slept or the store was away; or lost by the store itself: it is there all the same.
      if (text === null && (await this.#wasRemoved(one))) this.#forget(one)
      else await this.#sayAgain(one)
    }
    for (const one of await this.#abandoned(session, held)) await this.#sayAgain(one)
  }

  /** Those for whom a newer connection spoke, which is not there any more, while the one that is held here still is. */
  async #abandoned(session: SessionId, held: readonly Held[]): Promise<readonly Held[]> {
    const outspoken = held.filter((one) => one.text === null && this.#isHeld(one))
    if (outspoken.length === 0) return []
    const name = ({ member }: Held): string => FIELD.member(member)
    const some = outspoken.slice(0, 200)
    const fields = await this.#ports.store.fields(session, some.map(name))
    return some.filter((one) => {
      return parseMember(fields?.get(name(one)) ?? null)?.member.connected === false
    })
  }

  async #wasRemoved({ session, member, connection }: Held): Promise<boolean> {
    const name = FIELD.removed(member)
    const fields = await this.#ports.store.fields(session, [name])
    return fields?.get(name) === connection
  }

  async #sayAgain(held: Held): Promise<void> {
    try {
      await this.#say(held.said)
    } catch (error) {
      // The session may be closed or gone by now; there is nobody to be present for.
      if (error instanceof HeldlineError && !error.retryable) this.#forget(held)
      else throw error
    }
  }

  /** Enters for a socket of this node, which from now on speaks for the member, or finds that a newer one does. */
  async #say(said: EnterRequest): Promise<void> {
    const { session, connection } = said
    const member = said.member.member as MemberId
    const name = key(session, member)
    const before = this.#held.get(name)
    const again = before?.connection === connection ? { again: before.turn } : {}
    const word = await run(this.#ports.store, enter({ ...said, ...again }, this.#ports.random))
    const { text, turn } = word ?? { text: null, turn: 0 }
    this.#held.set(name, { session, member, connection, text, turn, said })
  }

  #isHeld(held: Held): boolean {
    return this.#held.get(key(held.session, held.member)) === held
  }

  #forget(held: Held): void {
    if (this.#isHeld(held)) this.#held.delete(key(held.session, held.member))
  }

  #schedule(): void {
    if (this.#closed) return
    this.#timer = this.#ports.clock.after(this.#ports.limits.presenceTtlMs / 3, () => {
      void this.refresh().finally(() => this.#schedule())
    })
  }
}

function key(session: SessionId, member: MemberId): string {
  return `${session} ${member}`
}
