import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { InputExpired } from '../../protocol/input-events.ts'
import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, listText, parseList, type CommitParts } from './commit-parts.ts'
import { inputNotice, noNotice } from './notice-record.ts'
import { eventOf } from './session.ts'

/** An input as the record keeps it. What it says is in the log and, while it waits, in the view. */
export interface InputRecord {
  /** Differs when what was sent differs: the same id with other content is a mistake. */
  readonly print: string
  /** What its sender was told. */
  readonly outcome: 'queued' | 'delivered'
  readonly status: 'waiting' | 'delivered' | 'expired' | 'cancelled'
  /** Of its data. */
  readonly bytes: number
  /** The run that took it. */
  readonly run?: string
  /** At which step it did. */
  readonly step?: string
  /** What is to be answered, where it has no message of its own and says it. */
  readonly parent?: string | null
}

export function parseInput(text: string | null): InputRecord | null {
  // The record holds only what these transitions write.
  return text === null ? null : (JSON.parse(text) as InputRecord)
}

/** What every end of a wait changes: the input says how it ended, and waits no more. Needs the input's field and the list. */
export function endWait(
  known: Known,
  input: string,
  after: Pick<InputRecord, 'status' | 'run' | 'step'>,
): Required<Pick<CommitParts, 'guards' | 'writes' | 'deadlines'>> {
  const field = FIELD.input(input)
  const before = parseInput(known.fields.get(field) ?? null)
  const waiting = parseList(known.fields.get(FIELD.inputs) ?? null)
  const untold = noNotice(inputNotice(input))
  return {
    guards: [guardOf(known, field), guardOf(known, FIELD.inputs)],
    writes: [
      { field, value: JSON.stringify({ ...before, ...after }) },
      { field: FIELD.inputs, value: listText(waiting.filter((id) => id !== input)) },
      ...untold.writes,
    ],
    deadlines: [{ deadline: DEADLINE.input(input), inMs: null }, ...untold.deadlines],
  }
}

/** Nobody takes it any more. */
export function expireInput(
  known: Known,
  input: string,
  reason: 'expired' | 'cancelled',
  by: By,
  random: Random,
): Partial<CommitParts> {
  const data: InputExpired = { input, reason }
  return {
    ...endWait(known, input, { status: reason }),
    events: [eventOf('input.expired', data, by, random)],
  }
}

/**
 * The message that whatever answers the input follows: what it names, else its own, or, of an id that no input has, the message of that id.
 * Needs the field of the message of that id. @returns `undefined`: there is none [P-16.6]
 */
export function answeredBy(
  known: Known,
  input: string,
  record: InputRecord | null,
): string | null | undefined {
  if (record?.parent !== undefined) return record.parent
  return (known.fields.get(FIELD.message(input)) ?? null) === null ? undefined : input
}

/** @param parent what whoever was to take it would have answered */
export function inputNotFound(status?: string, parent?: string | null): HeldlineError {
  const why = status === undefined ? 'there is no such input' : `the input is ${status}`
  return new HeldlineError('input_not_found', `unable to go on; ${why}`, {
    facts: {
      ...(status !== undefined && { inputStatus: status }),
      ...(parent !== undefined && { parent }),
    },
  })
}
