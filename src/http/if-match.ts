import type { StateCondition } from '../core/transitions/state.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { parseSerial } from '../protocol/position.ts'
import type { Call } from './call.ts'
import { like, choice } from './parameter.ts'

export function etagOf(version: number): string {
  return `"${version}"`
}

/** What `If-Match` and `If-None-Match` demand. [P-12.2] @throws HeldlineError `invalid_request` */
export function conditionOf(call: Call): StateCondition {
  const match = call.header('if-match')
  const none = call.header('if-none-match')
  if (match === undefined && none === undefined) return null
  if (match === undefined && none === '*') return 'unset'
  if (none === undefined && match === '*') return 'set'
  const version = none === undefined ? parseSerial(/^"(\d+)"$/.exec(match ?? '')?.[1]) : null
  if (version !== null) return version
  throw new HeldlineError(
    'invalid_request',
    'unable to compare; give If-Match as one "<version>" or *, or If-None-Match as *',
  )
}

export const CONDITION_HEADERS = {
  'If-Match': like(
    /^(\*|"\d+")$/,
    'One `"<version>"`: only over that version. `*`: only where the key is set.',
  ),
  'If-None-Match': choice(['*'], '`*`: only where the key is not set.'),
} as const
