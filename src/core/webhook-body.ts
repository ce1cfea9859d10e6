import type { OpenDelivery } from '../protocol/fold/fold-record.ts'
import type { View } from '../protocol/fold/view.ts'
import type { SessionId } from '../protocol/ids.ts'
import { exceedsBytes } from './bytes.ts'
import { rawMember, withRaw } from './raw-data.ts'
import type { Store } from './store.ts'
import type { DeliveryRecord } from './transitions/delivery-record.ts'

/** A larger body goes without the result, which can be asked for. */
export const MAX_BODY_BYTES = 256 * 1024

/**
 * What a webhook is told. Where the result is gone or too large, `omitted` says so. [P-15.3]
 * @param rawResult JSON text of what the run came to; `null`: nobody has it any more
 */
export function webhookBody(
  session: SessionId,
  delivery: string,
  record: DeliveryRecord,
  open: OpenDelivery | undefined,
  rawResult: string | null,
): string {
  const head = {
    type: `run.${record.ended}`,
    session,
    run: record.run,
    delivery,
    to: record.to,
    serial: open?.serial ?? null,
    at: open?.at ?? null,
  }
  const whole = withRaw(head, { [resultName(record)]: rawResult })
  if (rawResult !== null && !exceedsBytes(whole, MAX_BODY_BYTES)) return whole
  return JSON.stringify({ ...head, omitted: true })
}

/** What the run came to, as the bytes that came, from its last event; `null` where the log has dropped that. */
export async function resultInLog(
  store: Store,
  session: SessionId,
  record: DeliveryRecord,
  serial: number,
): Promise<string | null> {
  const data = await eventData(store, session, serial)
  if (data === null || rawMember(data, 'run') !== JSON.stringify(record.run)) return null
  return rawMember(data, resultName(record)) ?? 'null'
}

/** The data of one event, as the bytes that came; `null` where the log has dropped it. */
export async function eventData(
  store: Store,
  session: SessionId,
  serial: number,
): Promise<string | null> {
  const page = await store.read(session, { after: serial - 1, limit: 1, maxBytes: 1 })
  const event = page?.events[0]
  if (event?.serial !== serial) return null
  // The log holds only what was an event when it was appended: an object with an object as its data.
  return rawMember(event.text, 'data') ?? '{}'
}

/** What the run came to as the view has it, for as long as it does. */
export function resultInView(view: View, record: DeliveryRecord): string | null {
  const run = view.runs.get(record.run)
  return run === undefined ? null : JSON.stringify(run[resultName(record)])
}

function resultName({ ended }: DeliveryRecord): 'output' | 'error' {
  return ended === 'failed' ? 'error' : 'output'
}
