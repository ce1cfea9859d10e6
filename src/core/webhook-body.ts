import type { Run } from '../protocol/fold/fold-run.ts'
import type { OpenDelivery } from '../protocol/fold/fold-record.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Store } from './store.ts'
import type { DeliveryRecord } from './transitions/delivery-record.ts'

/** A larger body goes without the result, which can be asked for. */
const MAX_BODY_BYTES = 256 * 1024

/** What the run came to: of the view, or of the run's last event. */
export type Result = Pick<Run, 'output' | 'error'>

/** What a webhook is told. Where the result is gone or too large, `omitted` says so. [P-15.3] */
export function webhookBody(
  session: SessionId,
  delivery: string,
  record: DeliveryRecord,
  open: OpenDelivery | undefined,
  result: Result | null,
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
  if (result === null) return JSON.stringify({ ...head, omitted: true })
  const { output, error } = result
  const whole = JSON.stringify({ ...head, ...(record.ended === 'failed' ? { error } : { output }) })
  // A character is three bytes at most, so that few texts are looked at twice.
  const fits =
    whole.length * 3 <= MAX_BODY_BYTES || new TextEncoder().encode(whole).length <= MAX_BODY_BYTES
  return fits ? whole : JSON.stringify({ ...head, omitted: true })
}

/** The result as the log has it, for a run that the view has let go; `null` where the log has dropped it too. */
export async function resultInLog(
  store: Store,
  session: SessionId,
  run: string,
  serial: number,
): Promise<Result | null> {
  const page = await store.read(session, { after: serial - 1, limit: 1, maxBytes: 1 })
  const event = page?.events[0]
  if (event?.serial !== serial) return null
  // The log holds only what was an event when it was appended.
  const { data } = JSON.parse(event.text) as { readonly data: Partial<Result> & { run?: string } }
  return data.run === run ? { output: data.output ?? null, error: data.error ?? null } : null
}
