import { FIELD } from '../record.ts'
import { parseInput } from './input-record.ts'
import type { Kind } from './remembered.ts'
import { CANCELLED_TRIGGER } from './run-start.ts'

/** With those that were cancelled before they came. */
export const INPUTS: Kind = {
  name: 'input',
  needs: (id) => [FIELD.input(id), FIELD.trigger(id)],
  forget: (known, id) => {
    if (parseInput(known.fields.get(FIELD.input(id)) ?? null)?.status === 'waiting') return null
    // A run that it triggered is remembered with its trigger, and forgotten with it.
    const cancelled = known.fields.get(FIELD.trigger(id)) === CANCELLED_TRIGGER
    return [FIELD.input(id), ...(cancelled ? [FIELD.trigger(id)] : [])]
  },
}
