import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { CommitParts } from './commit-parts.ts'
import type { Ending } from './run-end.ts'
import type { RunInfo } from './run-record.ts'
import { eventOf } from './session.ts'

/** A delivery as the record keeps it. */
export interface DeliveryRecord {
  readonly run: string
  readonly to: string
  readonly status: 'pending' | 'acked' | 'failed'
  /** Tries of the webhook so far. */
  readonly attempts: number
}

/** The name of a run's delivery: the same wherever it is made, so that it is made once. */
export function deliveryId(run: string, index: number): string {
  return `${run.slice(0, 120)}~d${index}`
}

/** A finished or failed run makes one delivery for each subject that its result is for. [P-15.1] */
export function pendingDeliveries(
  run: string,
  info: RunInfo,
  ending: Ending,
  random: Random,
): Partial<CommitParts> {
  if (ending.status === 'cancelled') return {}
  const subjects = [...new Set([...info.deliverTo, ...(ending.deliverTo ?? [])])]
  const deliveries = subjects.map((to, index) => ({ id: deliveryId(run, index), to }))
  const record = (to: string): string =>
    JSON.stringify({ run, to, status: 'pending', attempts: 0 } satisfies DeliveryRecord)
  return {
    events: deliveries.map(({ id, to }) =>
      eventOf('delivery.pending', { delivery: id, run, to }, { subject: 'server', run }, random),
    ),
    writes: deliveries.map(({ id, to }) => ({ field: FIELD.delivery(id), value: record(to) })),
    deadlines: deliveries.map(({ id }) => ({
      deadline: DEADLINE.delivery(id),
      inMs: info.deliverAfterMs,
    })),
  }
}
