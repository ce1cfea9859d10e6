import type { SessionId } from '../protocol/ids.ts'
import { sessionNotFound } from './commit.ts'
import { FIELD } from './record.ts'
import type { Store } from './store.ts'
import { parseInput, type InputRecord } from './transitions/input-record.ts'
import { CANCELLED_TRIGGER } from './transitions/run-start.ts'

/** What became of an input, as the record has it: also long after the view has forgotten. */
export interface InputFate {
  readonly status: InputRecord['status']
  /** The run that it triggered, else the one that took it; `null`: none yet, or none ever. */
  readonly run: string | null
  /** At which the run took it, where it said so. */
  readonly step?: string
}

/** @returns `null`: there is none, or it is forgotten @throws HeldlineError `session_not_found` */
export async function inputFate(
  store: Pick<Store, 'fields'>,
  session: SessionId,
  input: string,
): Promise<InputFate | null> {
  const names = [FIELD.input(input), FIELD.trigger(input)]
  const fields = await store.fields(session, names)
  if (fields === null) throw sessionNotFound()
  const record = parseInput(fields.get(FIELD.input(input)) ?? null)
  if (record === null) return null
  const triggered = fields.get(FIELD.trigger(input)) ?? null
  if (triggered === CANCELLED_TRIGGER) return { status: 'cancelled', run: null }
  const { status, run, step } = record
  return { status, run: triggered ?? run ?? null, ...(step !== undefined && { step }) }
}
