import { errorRow, HeldlineError } from '../protocol/errors.ts'
import { frame, type Frame } from './frame.ts'

/** An error as the client sees it. What is not of the table is `internal`, without a word of its own. [P-8.1] */
export function errorFrame(error: unknown, ref: string | null, session?: string): Frame {
  const known = expected(error)
  return frame({
    type: 'error',
    ref,
    ...(session !== undefined && { session }),
    code: known.code,
    message: known.message,
    retryable: errorRow(known.code).retryable,
    ...(known.retryAfterMs !== undefined && { retryAfterMs: known.retryAfterMs }),
    ...(Object.keys(known.facts).length > 0 && { facts: known.facts }),
  })
}

/** The error itself when it is of the table, else `internal` with the error as its cause. */
export function expected(error: unknown): HeldlineError {
  return error instanceof HeldlineError
    ? error
    : new HeldlineError('internal', 'the server made a mistake', { cause: error })
}
