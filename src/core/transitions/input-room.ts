import { HeldlineError } from '../../protocol/errors.ts'
import { bytesOf } from '../bytes.ts'
import type { Known } from '../commit.ts'
import { FIELD } from '../record.ts'
import { parseList } from './commit-parts.ts'
import { parseInput } from './input-record.ts'

/** What is asked of the room that a session has for inputs. */
interface Asks {
  readonly rawData: string | null
  readonly maxWaiting: number
  /** Of the data of those that wait together. */
  readonly maxBytes: number
}

/** @throws HeldlineError `session_closed`, `session_limit` */
export function refuseWhere({ maxWaiting }: Asks, known: Known): void {
  if ((known.fields.get(FIELD.closed) ?? null) !== null) {
    throw new HeldlineError('session_closed', 'unable to take the input; the session is closed')
  }
  if (parseList(known.fields.get(FIELD.inputs) ?? null).length < maxWaiting) return
  throw new HeldlineError(
    'session_limit',
    `unable to take the input; ${maxWaiting} wait in the session already`,
    { facts: { maxWaiting } },
  )
}

/** The others that wait, as far as nothing is known of them: only an input that has data is weighed with them. */
export function unseenOthers(known: Known): readonly string[] {
  const waiting = parseList(known.fields.get(FIELD.inputs) ?? null)
  return waiting.map(FIELD.input).filter((name) => !known.fields.has(name))
}

/** Every snapshot holds what waits. @throws HeldlineError `session_limit` */
export function refuseBytes({ rawData, maxBytes }: Asks, known: Known): void {
  if (rawData === null) return
  const waiting = parseList(known.fields.get(FIELD.inputs) ?? null)
  const others = waiting.map((id) => parseInput(known.fields.get(FIELD.input(id)) ?? null))
  const before = others.reduce((sum, other) => sum + (other?.bytes ?? 0), 0)
  if (before + bytesOf(rawData) <= maxBytes) return
  throw new HeldlineError(
    'session_limit',
    `unable to take the input; with it, the data of those that wait is over ${maxBytes} bytes`,
    { facts: { maxBytes } },
  )
}
