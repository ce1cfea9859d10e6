import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, joinParts, type CommitParts } from './commit-parts.ts'
import {
  deadLetter,
  deliveryOf,
  deliveryText,
  keepFailed,
  listedText,
  parseListed,
  type DeliveryRecord,
} from './delivery-record.ts'
import { MAX_PENDING } from './run-deliveries.ts'
import { eventOf } from './session.ts'

/** One delivery of a session. */
export interface DeliveryName {
  readonly session: SessionId
  readonly id: string
}

/** One whose deadline is due. */
export interface DueDelivery extends DeliveryName {
  /** As `due` gave it: what is done about it happens once, whichever nodes look. */
  readonly at: number
}

/**
 * It has reached its person, once. What is acknowledged already, or not there, stays as it is; one that failed is acknowledged all the same. [P-15.1]
 * @returns those that this very request acknowledged
 */
export function acknowledge(
  { session, ids }: { readonly session: SessionId; readonly ids: readonly string[] },
  via: 'read' | 'webhook',
  random: Random,
): Transition<readonly string[]> {
  return {
    session,
    reads: [FIELD.deliveries, ...ids.map((id) => FIELD.delivery(id))],
    decide: (known) => {
      const open = ids.filter((id) => (deliveryOf(known, id)?.status ?? 'acked') !== 'acked')
      if (open.length === 0) return { done: [] }
      const gone = new Set(open)
      const listed = listedIn(known).filter(({ id }) => !gone.has(id))
      const commit = joinParts(
        ...open.map((id) => acked(known, id, via, random)),
        listParts(known, listedText(listed)),
      )
      return { commit, answer: () => open }
    },
  }
}

function acked(
  known: Known,
  id: string,
  via: 'read' | 'webhook',
  random: Random,
): Partial<CommitParts> {
  // Only called for those whose record is known.
  const record = deliveryOf(known, id) as DeliveryRecord
  const by = { subject: 'server', run: record.run }
  return {
    guards: [guardOf(known, FIELD.delivery(id))],
    events: [eventOf('delivery.acked', { delivery: id, via }, by, random)],
    writes: [{ field: FIELD.delivery(id), value: deliveryText({ ...record, status: 'acked' }) }],
    deadlines: [{ deadline: DEADLINE.delivery(id), inMs: null }],
  }
}

/**
 * Takes a due delivery for one try: until `leaseMs` is over nobody else does, and then somebody does, should the node die meanwhile. Where nothing
 * (`null`), or nothing of its kind, can be sent, it waits for its person, or for a replay, without a deadline. [P-15.2]
 * @returns it, with this try counted; `null`: there is nothing to send (any more), or another node was faster
 */
export function claimTry(
  due: DueDelivery,
  leaseMs: number | null,
  sends: (record: DeliveryRecord) => boolean = () => true,
): Transition<DeliveryRecord | null> {
  return atDeadline(due, (record) => {
    if (leaseMs === null || !sends(record)) {
      return { record: { ...record, attempts: 0 }, inMs: null, answer: null }
    }
    const { reason: _, ...rest } = record
    const claimed = { ...rest, attempts: record.attempts + 1 }
    return { record: claimed, inMs: leaseMs, answer: claimed }
  })
}

function atDeadline(
  { session, id, at }: DueDelivery,
  change: (record: DeliveryRecord) => {
    readonly record: DeliveryRecord
    readonly inMs: number | null
    readonly answer: DeliveryRecord | null
  },
): Transition<DeliveryRecord | null> {
  const deadline = DEADLINE.delivery(id)
  const field = FIELD.delivery(id)
  return {
    session,
    reads: [field],
    decide: (known): Decision<DeliveryRecord | null> => {
      if (known.deadlines.has(deadline) && known.deadlines.get(deadline) !== at) {
        return { done: null }
      }
      const record = deliveryOf(known, id)
      const guards = [{ deadline, at }, guardOf(known, field)]
      if (record?.status !== 'pending') {
        return { commit: { guards, deadlines: [{ deadline, inMs: null }] }, answer: () => null }
      }
      const { record: next, inMs, answer } = change(record)
      return {
        commit: {
          guards,
          writes: [{ field, value: deliveryText(next) }],
          deadlines: [{ deadline, inMs }],
        },
        answer: () => answer,
      }
    },
  }
}

export interface FailedTry extends DeliveryName {
  /** As counted when the try was claimed: a try that was overtaken by another decides nothing. */
  readonly attempts: number
  readonly reason: string
  /** When it is tried again; `null`: never by itself. */
  readonly againInMs: number | null
}

/** A try came to nothing. @returns whether the delivery has failed by that */
export function failTry(
  { session, id, attempts, reason, againInMs }: FailedTry,
  random: Random,
): Transition<boolean> {
  const field = FIELD.delivery(id)
  const deadline = DEADLINE.delivery(id)
  return {
    session,
    reads: [field, ...(againInMs === null ? [FIELD.deliveries] : [])],
    decide: (known) => {
      const record = deliveryOf(known, id)
      if (record?.status !== 'pending' || record.attempts !== attempts) return { done: false }
      if (againInMs !== null) {
        return {
          commit: {
            guards: [guardOf(known, field)],
            writes: [{ field, value: deliveryText({ ...record, reason }) }],
            deadlines: [{ deadline, inMs: againInMs }],
          },
          answer: () => false,
        }
      }
      const listed = listedIn(known).map((one) =>
        one.id === id ? { ...one, failed: true as const } : one,
      )
      const commit = joinParts(
        deadLetter(known, id, reason, random),
        listParts(known, listedText(keepFailed(listed))),
      )
      return { commit, answer: () => true }
    },
  }
}

/**
 * Sends a failed one once more from the first try on; or, at once, one that was never sent. [P-15.2]
 * @throws HeldlineError `delivery_not_found`, `delivery_closed` where it is acknowledged or on its way, `session_limit`
 */
export function replayDelivery(
  { session, id }: DeliveryName,
  random: Random,
): Transition<DeliveryRecord> {
  const field = FIELD.delivery(id)
  const deadlines = [{ deadline: DEADLINE.delivery(id), inMs: 0 }]
  return {
    session,
    reads: [field, FIELD.deliveries],
    decide: (known) => {
      const record = deliveryOf(known, id)
      if (record === null)
        throw new HeldlineError('delivery_not_found', 'there is no such delivery')
      if (record.status === 'pending' && record.attempts === 0) {
        return { commit: { guards: [guardOf(known, field)], deadlines }, answer: () => record }
      }
      if (record.status !== 'failed') throw notFailed(record)
      const { run, to, ended } = record
      const again: DeliveryRecord = { run, to, ended, status: 'pending', attempts: 0 }
      const data = { delivery: id, run, to }
      const commit = joinParts(
        {
          guards: [guardOf(known, field)],
          events: [eventOf('delivery.pending', data, { subject: 'server', run }, random)],
          writes: [{ field, value: deliveryText(again) }],
          deadlines,
        },
        listParts(known, listedText(relisted(listedIn(known), id, to))),
      )
      return { commit, answer: () => again }
    },
  }
}

function notFailed({ status, attempts }: DeliveryRecord): HeldlineError {
  const detail = status === 'acked' ? 'it is acknowledged' : 'it is on its way'
  return new HeldlineError('delivery_closed', `unable to replay; ${detail}`, {
    facts: { deliveryStatus: status, attempts },
  })
}

/** As pending again, in the place where it was. @throws HeldlineError `session_limit` */
function relisted(
  listed: ReturnType<typeof parseListed>,
  id: string,
  to: string,
): ReturnType<typeof parseListed> {
  if (listed.filter(({ failed }) => failed !== true).length >= MAX_PENDING) {
    throw new HeldlineError('session_limit', `unable to replay; ${MAX_PENDING} are pending`, {
      facts: { maxPending: MAX_PENDING },
    })
  }
  const pending = { id, to }
  if (!listed.some((one) => one.id === id)) return [...listed, pending]
  return listed.map((one) => (one.id === id ? pending : one))
}

function listedIn(known: Known): ReturnType<typeof parseListed> {
  return parseListed(known.fields.get(FIELD.deliveries) ?? null)
}

function listParts(known: Known, value: string | null): Partial<CommitParts> {
  return {
    guards: [guardOf(known, FIELD.deliveries)],
    writes: [{ field: FIELD.deliveries, value }],
  }
}
