import type { Epoch } from '../../protocol/ids.ts'
import type { Wake } from '../../core/signals.ts'
import type { StoredEvent } from '../../core/store.ts'
import { decodeEntry } from './encode.ts'

/**
 * Wake-ups on the wire, as the scripts and `send` write them:
 *
 *     C <instance> <epoch> <first> <last> [RS entry]…    R <instance>    S <instance> RS payload
 *
 * A record separator never stands in JSON text; where an opaque body holds one all the same, the hint does not add up and is dropped.
 */
const SEPARATOR = '\u001e'

export const encodeSignal = (instance: string, payload: string): string =>
  `S ${instance}${SEPARATOR}${payload}`

/** `null` when the message is our own, or none of ours. */
export function decodeWake(message: string, instance: string): Wake | null {
  const end = message.indexOf(SEPARATOR)
  const head = end === -1 ? message : message.slice(0, end)
  const [kind, from, epoch, first, last] = head.split(' ')
  if (from === undefined || from === instance) return null
  if (kind === 'S' && end !== -1) return { kind: 'signal', payload: message.slice(end + 1) }
  if (kind === 'R') return { kind: 'removed' }
  if (kind !== 'C' || epoch === undefined) return null
  const range = { first: Number(first), last: Number(last) }
  if (!Number.isSafeInteger(range.first) || !Number.isSafeInteger(range.last)) return null
  const events = end === -1 ? [] : decodeHint(message.slice(end + 1), range.first, range.last)
  // The epoch came from a script that was given it as one.
  return { kind: 'committed', epoch: epoch as Epoch, ...range, events }
}

/** All of first..last, or nothing. */
function decodeHint(hint: string, first: number, last: number): StoredEvent[] {
  const entries = hint.split(SEPARATOR)
  if (entries.length !== last - first + 1) return []
  const events: StoredEvent[] = []
  for (const [index, entry] of entries.entries()) {
    const event = decodeEntry(entry, { serial: first + index - 1, tag: events.at(-1)?.tag ?? null })
    if (event === null) return []
    events.push(event)
  }
  return events
}
