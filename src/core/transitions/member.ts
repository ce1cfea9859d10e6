import { HeldlineError } from '../../protocol/errors.ts'
import type { By, Member } from '../../protocol/event.ts'
import type { MemberId, SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { CommitRequest } from '../store.ts'
import type { WebhookEvents } from '../webhook.ts'
import { joinParts, type CommitParts } from './commit-parts.ts'
import { countMembers, countParts } from './member-count.ts'
import { eventOf } from './session.ts'

/** A member as the record keeps it: what others see, and which connection speaks for it. */
export interface MemberRecord {
  readonly member: Member
  /** The newest connection of this member: an older one's word does not count any more. */
  readonly connection: string
  /** Which of the member's connections that is. Two of them compare, even after a failover has brought an older one back. */
  readonly turn: number
}

export interface EnterRequest {
  readonly session: SessionId
  readonly member: Omit<Member, 'connected'>
  readonly connection: string
  readonly by: By
  /** After so long without a refresh the member is noticed as gone. */
  readonly ttlMs: number
  readonly maxMembers: number
  /** What the webhook is told of. */
  readonly tells: WebhookEvents
  /** The turn of this connection, when it has spoken for the member before: a later one's word stands. */
  readonly again?: number
}

/** What a connection has said of its member, as it stands in the record. */
export interface Word {
  /** By it later words of this connection are guarded. */
  readonly text: string
  readonly turn: number
}

/**
 * Enters, or is seen again. The same member from another connection is the same member: an update where something visible
 * changed, else nothing but a new owner. [P-5.1] [P-5.4]
 * @returns `null`: a newer connection speaks for the member
 */
export function enter(request: EnterRequest, random: Random): Transition<Word | null> {
  const id = request.member.member as MemberId
  const field = FIELD.member(id)
  const member: Member = { ...request.member, connected: true }
  return {
    session: request.session,
    reads: [field, FIELD.members, FIELD.closed],
    decide: (known) => {
      refuseClosed(known)
      const old = memberRecord(known, field)
      if (old !== null && old.member.subject !== member.subject) {
        throw new HeldlineError(
          'forbidden',
          'unable to enter; this member belongs to another subject',
        )
      }
      const turn = turnOf(request, old)
      if (turn === null) return { done: null }
      const { connection } = request
      const text = JSON.stringify({ member, connection, turn } satisfies MemberRecord)
      const common = {
        deadlines: [{ deadline: DEADLINE.member(id), inMs: request.ttlMs }],
        guards: [
          { field, equals: known.fields.get(field) ?? null },
          { field: FIELD.closed, equals: null },
        ],
      }
      if (old !== null) {
        const changed = JSON.stringify(old.member) !== JSON.stringify(member)
        const events = changed ? [eventOf('member.updated', member, request.by, random)] : []
        const own = { ...common, events, writes: [{ field, value: text }] }
        const counted = countParts(known, old.member, member, request.tells, random)
        return { commit: joinParts(own, counted), answer: () => ({ text, turn }) }
      }
      const count = countMembers(known)
      if (count >= request.maxMembers) {
        throw new HeldlineError(
          'presence_limit',
          `unable to enter; the session has ${count} members`,
          {
            facts: { maxMembers: request.maxMembers },
          },
        )
      }
      const own = {
        ...common,
        events: [eventOf('member.entered', member, request.by, random)],
        writes: [
          { field, value: text },
          { field: FIELD.removed(id), value: null },
        ],
      }
      const counted = countParts(known, null, member, request.tells, random)
      return { commit: joinParts(own, counted), answer: () => ({ text, turn }) }
    },
  }
}

/**
 * A connection keeps its turn; a new one comes after whoever speaks now, and so does one that is still there when that one
 * is not any more. `null`: a later one speaks already.
 */
function turnOf({ connection, again }: EnterRequest, old: MemberRecord | null): number | null {
  const known = old?.turn ?? 0
  if (old?.connection === connection) return known
  if (again === undefined) return known + 1
  if (old === null || !old.member.connected) return Math.max(again, known + 1)
  return known >= again ? null : again
}

export interface LeaveRequest {
  readonly session: SessionId
  readonly member: MemberId
  readonly by: By
  /** What the webhook is told of. */
  readonly tells: WebhookEvents
  /** Only while the record is still this text: an older connection does not take a newer one along. */
  readonly only?: string
  /** Somebody else takes the member out: for so long its own node must be able to see that it was no accident. */
  readonly rememberMs?: number
}

/** Leaves at once. Whoever is not there, or is spoken for by a newer connection, changes nothing. [P-5.3] */
export function leave(request: LeaveRequest, random: Random): Transition<boolean> {
  const field = FIELD.member(request.member)
  return {
    session: request.session,
    reads: [field, FIELD.members],
    decide: (known) => {
      const text = known.fields.get(field) ?? null
      if (text === null || (request.only !== undefined && request.only !== text))
        return { done: false }
      const left = removal(request, known, 'detached', random)
      const commit = joinParts(left, remember(request, known, field))
      return { commit, answer: () => true }
    },
  }
}

function remember(
  { member, rememberMs }: LeaveRequest,
  known: Known,
  field: string,
): Required<Pick<CommitRequest, 'writes' | 'deadlines'>> {
  const connection = memberRecord(known, field)?.connection
  if (rememberMs === undefined || connection === undefined) return { writes: [], deadlines: [] }
  return {
    writes: [{ field: FIELD.removed(member), value: connection }],
    deadlines: [{ deadline: DEADLINE.member(member), inMs: rememberMs }],
  }
}

export interface ExpireRequest {
  readonly session: SessionId
  readonly member: MemberId
  /** As `due` gave it: the deadline fires once, whichever nodes look. */
  readonly at: number
  /** From being seen as not connected to leaving. */
  readonly awayMs: number
  /** What the webhook is told of. */
  readonly tells: WebhookEvents
}

/** A member's deadline is due: it is not connected any more, or, where that is known, it leaves. [P-5.4] */
export function expire(request: ExpireRequest, random: Random): Transition<void> {
  const field = FIELD.member(request.member)
  const deadline = DEADLINE.member(request.member)
  return {
    session: request.session,
    reads: [field, FIELD.members],
    decide: (known): Decision<void> => {
      const due = { deadline, at: request.at }
      if (known.deadlines.has(deadline) && known.deadlines.get(deadline) !== request.at) {
        return { done: undefined }
      }
      const old = memberRecord(known, field)
      const by: By = { subject: 'server' }
      if (old === null) {
        return {
          commit: {
            guards: [due, { field, equals: null }],
            writes: [{ field: FIELD.removed(request.member), value: null }],
            deadlines: [{ deadline, inMs: null }],
          },
          answer: () => undefined,
        }
      }
      if (!old.member.connected) {
        const commit = removal({ ...request, by }, known, 'expired', random)
        return {
          commit: joinParts(commit, { guards: [due] }),
          answer: () => undefined,
        }
      }
      const member: Member = { ...old.member, connected: false }
      const value = JSON.stringify({ ...old, member } satisfies MemberRecord)
      return {
        commit: {
          guards: [due, { field, equals: known.fields.get(field) ?? null }],
          events: [eventOf('member.updated', member, by, random)],
          writes: [{ field, value }],
          deadlines: [{ deadline, inMs: request.awayMs }],
        },
        answer: () => undefined,
      }
    },
  }
}

function removal(
  request: Pick<LeaveRequest, 'member' | 'by' | 'tells'>,
  known: Known,
  reason: 'detached' | 'expired',
  random: Random,
): CommitParts {
  const field = FIELD.member(request.member)
  const old = memberRecord(known, field)
  return joinParts(
    {
      guards: [{ field, equals: known.fields.get(field) ?? null }],
      events: [eventOf('member.left', { member: request.member, reason }, request.by, random)],
      writes: [{ field, value: null }],
      deadlines: [{ deadline: DEADLINE.member(request.member), inMs: null }],
    },
    countParts(known, old?.member ?? null, null, request.tells, random),
  )
}

function memberRecord(known: Known, field: string): MemberRecord | null {
  return parseMember(known.fields.get(field) ?? null)
}

/** What a member's field says; `null`: there is no such member. */
export function parseMember(text: string | null): MemberRecord | null {
  // The record holds only what this file writes.
  return text === null ? null : (JSON.parse(text) as MemberRecord)
}

function refuseClosed(known: Known): void {
  if ((known.fields.get(FIELD.closed) ?? null) !== null) {
    throw new HeldlineError('session_closed', 'unable to enter; the session is closed')
  }
}
