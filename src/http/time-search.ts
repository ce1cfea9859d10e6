import type { Sessions } from '../core/sessions.ts'
import type { StoredEvent } from '../core/store.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'

type Log = Pick<Sessions, 'head' | 'events'>

/**
 * The serial of the last event before a moment: the floor where there is none. By halves, since the time of a log never falls; some
 * twenty reads of one event in a log of a million.
 */
export async function serialBefore(log: Log, session: SessionId, at: number): Promise<number> {
  const head = await log.head(session)
  let low = head.floor
  let high = head.head
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const event = await eventAfter(log, session, middle <= head.floor ? 0 : middle)
    if (event === undefined) return low
    if (event.at < at) low = event.serial
    else high = middle
  }
  return low
}

/** The first event after a serial, or after the floor where that has moved beyond it meanwhile. */
async function eventAfter(
  log: Log,
  session: SessionId,
  after: number,
): Promise<StoredEvent | undefined> {
  try {
    const page = await log.events(session, after, { limit: 1, waitMs: 0 })
    return page.events[0]
  } catch (error) {
    const trimmed = error instanceof HeldlineError && error.code === 'position_unrecoverable'
    if (!trimmed || after === 0) throw error
    return eventAfter(log, session, 0)
  }
}
