import type { ErrorCode, HeldlineError } from '../protocol/errors.ts'
import type { Log } from './log.ts'

const TROUBLE: ReadonlySet<ErrorCode> = new Set([
  'store_unavailable',
  'storage_full',
  'outcome_unknown',
  'durability_timeout',
])

/**
 * A line for the operator where a caller was refused for the store's sake: the caller can only try again, and a full disk or a permission that is
 * missing waits for somebody to hear of it. Of many that are refused together the log keeps one (`quietLog`).
 */
export function noteTrouble(log: Log, refusal: HeldlineError): void {
  if (refusal.code === 'event_corrupt') log.error('store.corrupt', { error: refusal })
  else if (TROUBLE.has(refusal.code)) log.warn('store.refused', { error: refusal })
}
