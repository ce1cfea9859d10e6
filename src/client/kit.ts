import { follows } from '../protocol/fold/view.ts'
import { formatPosition, parsePosition } from '../protocol/position.ts'
import { ackOf } from './ack.ts'
import { backoffMs } from './backoff.ts'
import { ClientError, clientClosed, disconnected } from './client-error.ts'
import { parseFrame, readFrame } from './read-frame.ts'

/**
 * What the first bundle has and the code that is loaded later uses too. It is handed over, not imported there: a bundler would
 * make a third file of what both import, which compresses worse than both.
 */
export const KIT = {
  ClientError,
  ackOf,
  backoffMs,
  clientClosed,
  disconnected,
  follows,
  formatPosition,
  parseFrame,
  parsePosition,
  readFrame,
}
export type Kit = typeof KIT
