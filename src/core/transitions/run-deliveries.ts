import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, joinParts, type CommitParts } from './commit-parts.ts'
import {
  deadLetter,
  DELIVERIES,
  deliveryText,
  keepFailed,
  listedText,
  parseListed,
} from './delivery-record.ts'
import { remember } from './remembered.ts'
import type { Ending } from './run-end.ts'
import type { RunInfo } from './run-record.ts'
import { eventOf } from './session.ts'

/** So many of a session wait at most: a newer one takes the place of the oldest, which is failed, and can be replayed. */
export const MAX_PENDING = 100

/** A finished or failed run makes one delivery for each subject that its result is for. [P-15.1] */
export function pendingDeliveries(
  known: Known,
  run: string,
  info: RunInfo,
  ending: Exclude<Ending, { status: 'cancelled' }>,
  random: Random,
): Partial<CommitParts> | { readonly read: readonly string[] } {
  const { status: ended } = ending
  const subjects = [...new Set([...info.deliverTo, ...(ending.deliverTo ?? [])])]
  if (subjects.length === 0) return {}
  // Random, not made of the run's id: a receiver knows a repetition by it, over all sessions.
  const made = subjects.map((to) => ({ id: random.id(), to }))
  const ids = made.map(({ id }) => id)
  const kept = remember(known, DELIVERIES, ids)
  if ('read' in kept) return kept
  const before = parseListed(known.fields.get(FIELD.deliveries) ?? null)
  const waiting = before.filter(({ failed }) => failed !== true)
  const over = waiting.slice(0, Math.max(0, waiting.length + made.length - MAX_PENDING))
  const gone = new Set(over.map(({ id }) => id))
  const listed = before.map((one) => (gone.has(one.id) ? { ...one, failed: true as const } : one))
  const record = { run, ended, status: 'pending', attempts: 0 } as const
  return joinParts(kept, ...over.map(({ id }) => deadLetter(known, id, 'superseded', random)), {
    guards: [guardOf(known, FIELD.deliveries)],
    events: made.map(({ id, to }) =>
      eventOf('delivery.pending', { delivery: id, run, to }, { subject: 'server', run }, random),
    ),
    writes: [
      ...made.map(({ id, to }) => ({
        field: FIELD.delivery(id),
        value: deliveryText({ ...record, to }),
      })),
      { field: FIELD.deliveries, value: listedText(keepFailed([...listed, ...made])) },
    ],
    deadlines: made.map(({ id }) => ({
      deadline: DEADLINE.delivery(id),
      inMs: info.deliverAfterMs,
    })),
  })
}
