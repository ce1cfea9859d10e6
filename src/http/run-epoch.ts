import type { RunClaim } from '../core/transitions/run-record.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { parseSerial } from '../protocol/position.ts'
import type { Call } from './call.ts'
import { type Parameter } from './parameter.ts'

/** The header of every request by which an agent speaks for a run that it holds. [P-10] */
export const RUN_EPOCH: Readonly<Record<'Run-Epoch', Parameter>> = {
  'Run-Epoch': {
    about: 'The epoch that start or adopt answered. A lower one than the run’s is refused.',
    form: { type: 'integer', minimum: 1 },
    required: true,
  },
}

/** What such a request is refused for. */
export const NOT_HELD = ['run_not_found', 'run_fenced', 'run_over'] as const

/** The run of the path, and the epoch of it that the caller holds. @throws HeldlineError `invalid_request` */
export function claimOf(call: Call): RunClaim {
  return { run: call.id('run'), epoch: epochOf(call) }
}

/** @throws HeldlineError `invalid_request` */
export function epochOf(call: Call): number {
  const text = call.header('run-epoch')
  const epoch = parseSerial(text)
  if (epoch !== null && epoch > 0) return epoch
  throw new HeldlineError(
    'invalid_request',
    text === undefined
      ? 'unable to go on; the header Run-Epoch is missing: send the epoch that start or adopt answered'
      : 'unable to go on; Run-Epoch is not a whole number from 1 on',
  )
}
