import { HeldlineError } from '../protocol/errors.ts'

/** Why credentials were refused: for counters and limits on our side, never for the caller. */
export type RefusalReason =
  | 'malformed'
  | 'too_large'
  | 'unknown_key'
  | 'wrong_secret'
  | 'algorithm'
  | 'signature'
  | 'retired_key'
  | 'claims'
  | 'expired'
  | 'revoked'
  | 'ticket'
  | 'origin'

/** The one text for every reason: it tells neither an attacker nor a log what was wrong, or what was shown. */
const TEXT = 'unable to authenticate; the credentials are missing, wrong or over'

const reasons = new WeakMap<object, RefusalReason>()

/** @param code `unauthenticated` for keys and what has no form, `invalid_token` for tokens and tickets */
export function refusal(
  code: 'unauthenticated' | 'invalid_token',
  reason: RefusalReason,
): HeldlineError {
  const error = new HeldlineError(code, TEXT)
  // Beside the error, not in it: nothing that prints or sends errors can pass it on.
  reasons.set(error, reason)
  return error
}

/** Why an error of `refusal` was made; `null` for any other. */
export function refusalReason(error: unknown): RefusalReason | null {
  return typeof error === 'object' && error !== null ? (reasons.get(error) ?? null) : null
}
