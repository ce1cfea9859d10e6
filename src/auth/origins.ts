import type { Log } from '../core/log.ts'
import { HeldlineError } from '../protocol/errors.ts'

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?$/

/**
 * Whether a browser of an origin may connect: exactly those that are listed. Outside production, an empty list allows pages of this
 * very machine, so that a first try needs no setting. [P-6.5]
 */
export function originRule(
  allowed: readonly string[],
  production: boolean,
): (origin: string) => boolean {
  const exact = new Set(allowed)
  const local = !production && exact.size === 0
  return (origin) => exact.has(origin) || (local && LOCAL.test(origin))
}

/** More of it stands in no log. */
const SHOWN_CHARACTERS = 200

/** The refusal of an origin. A browser tells its page nothing of it, and its person little: the operator reads here which one it was. [P-6.5] */
export function refuseOrigin(origin: string, log: Log): HeldlineError {
  log.warn('origin.refused', {
    origin: origin.slice(0, SHOWN_CHARACTERS),
    next: 'Where the page is yours, add its origin to ALLOWED_ORIGINS.',
  })
  return new HeldlineError('forbidden_origin', 'unable to connect; this origin is not allowed')
}
