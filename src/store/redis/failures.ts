import { HeldlineError } from '../../protocol/errors.ts'

/** Redis answered that it will not: nothing was done. */
export class Refusal extends Error {
  /** The first word of the answer: READONLY, OOM, NOSCRIPT … */
  readonly code: string

  constructor(message: string) {
    super(message)
    this.name = 'Refusal'
    this.code = message.split(' ', 1)[0] ?? ''
  }
}

/** It never left this process: nothing was done. */
export class NotSent extends Error {
  override readonly name = 'NotSent'
}

/** It was sent, and no answer came: it may have been done, or may be yet. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}

export type Failure = Refusal | NotSent | Unanswered

/** Not now, but perhaps in a moment: a failover, a start, a reshard, a replica that is away. */
const PASSING = new Set([
  'READONLY',
  'NOREPLICAS',
  'MASTERDOWN',
  'LOADING',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'BUSY',
  'MOVED',
  'ASK',
  'NOSCRIPT',
  'UNBLOCKED',
  // ioredis' own word for a Cluster that sent it from node to node.
  'Too',
])

/** No memory left, or no disk: trim, then try again. */
const FULL = new Set(['OOM', 'MISCONF'])

/** Whether the same request, sent again soon, has a chance. */
export function isPassing(failure: Failure): boolean {
  return !(failure instanceof Refusal) || PASSING.has(failure.code)
}

/**
 * Whether a script had begun when Redis ended it, for a command that was withdrawn from our user, say: what it had written by then stands. Redis puts the
 * place in the script behind its reason.
 */
const endedMidway = (failure: Failure | null): boolean =>
  failure instanceof Refusal && / script: [0-9a-f]{40}, on /.test(failure.message)

/** Whether what failed so may have been carried out, in whole or in part. */
export const leavesDoubt = (failure: Failure | null): boolean =>
  failure instanceof Unanswered || endedMidway(failure)

/**
 * The error for a caller whose request failed for good.
 * @param perhaps whether any attempt may have been carried out
 */
export function outcomeOf(doing: string, failure: Failure | null, perhaps: boolean): HeldlineError {
  const cause = failure ?? undefined
  if (perhaps) {
    return new HeldlineError(
      'outcome_unknown',
      endedMidway(failure)
        ? `unable to ${doing}; the store broke off in the middle`
        : `unable to ${doing}; the store did not answer in time`,
      { cause },
    )
  }
  if (failure instanceof Refusal && FULL.has(failure.code)) {
    return new HeldlineError('storage_full', `unable to ${doing}; Redis has no room left`, {
      cause,
      retryAfterMs: 1000,
    })
  }
  if (failure instanceof Refusal && !PASSING.has(failure.code) && failure.code.startsWith('ERR')) {
    return new HeldlineError('internal', `unable to ${doing}; Redis refused the script`, { cause })
  }
  const why = failure === null ? 'no connection was free in time' : reason(failure)
  return new HeldlineError('store_unavailable', `unable to ${doing}; ${why}`, {
    cause,
    retryAfterMs: 1000,
  })
}

function reason(failure: Failure): string {
  return failure instanceof Refusal ? `Redis answers ${failure.code}` : 'Redis cannot be reached'
}

/** An error of ioredis as one of ours; what it carries beside the message (arguments, so payloads) stays behind. */
export function failureOf(error: unknown): Failure {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  if (name === 'ReplyError' || message.startsWith('Too many Cluster redirections')) {
    return new Refusal(message)
  }
  if (/isn't writeable|isn't ready and enableOfflineQueue/.test(message))
    return new NotSent(message)
  return new Unanswered(message)
}
