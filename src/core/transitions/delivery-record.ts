import { FAILED_DELIVERIES } from '../../protocol/fold/fold-record.ts'
import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, type CommitParts } from './commit-parts.ts'
import type { Kind } from './remembered.ts'
import { eventOf } from './session.ts'

/** A delivery as the record keeps it. */
export interface DeliveryRecord {
  readonly run: string
  readonly to: string
  /** How the run ended. */
  readonly ended: 'finished' | 'failed'
  readonly status: 'pending' | 'acked' | 'failed'
  /** Tries of the webhook so far, each counted when it begins. */
  readonly attempts: number
  /** What the last try came to, in a word; absent before the first, and while one is under way. */
  readonly reason?: string
}

/** What the session's list says of a delivery that is pending or failed: enough to see whom it concerns. */
export interface ListedDelivery {
  readonly id: string
  readonly to: string
  readonly failed?: true
}

export function parseDelivery(text: string): DeliveryRecord {
  // The record holds only what the transitions of deliveries write.
  return JSON.parse(text) as DeliveryRecord
}

export function deliveryText(record: DeliveryRecord): string {
  return JSON.stringify(record)
}

/** In the order in which they came. */
export function parseListed(text: string | null): readonly ListedDelivery[] {
  return text === null ? [] : (JSON.parse(text) as ListedDelivery[])
}

/** Empty, the field is absent: most sessions have none. */
export function listedText(listed: readonly ListedDelivery[]): string | null {
  return listed.length === 0 ? null : JSON.stringify(listed)
}

/** Of those that failed, only the latest stay in the list. */
export function keepFailed(listed: readonly ListedDelivery[]): readonly ListedDelivery[] {
  const surplus = listed.filter(({ failed }) => failed === true).slice(0, -FAILED_DELIVERIES)
  return surplus.length === 0 ? listed : listed.filter((one) => !surplus.includes(one))
}

/** What the record is known to hold of a delivery; `null` also where nothing is known yet. */
export function deliveryOf(known: Known, id: string): DeliveryRecord | null {
  const text = known.fields.get(FIELD.delivery(id)) ?? null
  return text === null ? null : parseDelivery(text)
}

/** One that is pending, or that people see as failed, is not over. */
export const DELIVERIES: Kind = {
  name: 'delivery',
  needs: (id) => [FIELD.delivery(id), FIELD.deliveries],
  forget: (known, id) => {
    const listed = parseListed(known.fields.get(FIELD.deliveries) ?? null)
    return listed.some((one) => one.id === id) ? null : [FIELD.delivery(id)]
  },
}

/** Makes a dead letter of it, but for the list. Where its record is not known, a guard asks for it. */
export function deadLetter(
  known: Known,
  id: string,
  reason: string,
  random: Random,
): Partial<CommitParts> {
  const guards = [guardOf(known, FIELD.delivery(id))]
  const record = deliveryOf(known, id)
  if (record === null) return { guards }
  const data = { delivery: id, attempts: record.attempts, reason }
  const by = { subject: 'server', run: record.run }
  return {
    guards,
    events: [eventOf('delivery.failed', data, by, random)],
    writes: [
      { field: FIELD.delivery(id), value: deliveryText({ ...record, status: 'failed', reason }) },
    ],
    deadlines: [{ deadline: DEADLINE.delivery(id), inMs: null }],
  }
}
