import type { ErrorCode } from '../protocol/errors.ts'

/**
 * What can go wrong on this side alone: `disconnected` (no answer came: the outcome is unknown), `timeout` (likewise),
 * `client_closed`, `outbox_full`, `too_late` (it was cancelled before it arrived), `invalid_answer` (what answered does not speak this protocol: the outcome is unknown); `http_<status>` where
 * something between us and the server answered in its place.
 */
export type LocalCode =
  | 'disconnected'
  | 'timeout'
  | 'client_closed'
  | 'outbox_full'
  | 'too_late'
  | 'invalid_answer'

/** A refusal of the server (a code of its table) or a failure of this side. */
export class ClientError extends Error {
  /** Stable. A code that this version does not know is passed through as it came. */
  readonly code: ErrorCode | LocalCode | (string & {})
  /** Whether the same request, with the same ids, may succeed later. */
  readonly retryable: boolean
  /** How long to wait before that, in milliseconds, where the server said. */
  readonly retryAfterMs: number | undefined
  readonly facts: Readonly<Record<string, unknown>>

  constructor(code: ClientError['code'], message: string, options: ClientErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ClientError'
    this.code = code
    this.retryable = options.retryable ?? false
    this.retryAfterMs = options.retryAfterMs
    this.facts = options.facts ?? {}
  }
}

interface ClientErrorOptions {
  readonly retryable?: boolean | undefined
  readonly retryAfterMs?: number | undefined
  readonly facts?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}

/** Nothing came back: it may or may not have happened. Never to be taken for a refusal. [P-2.7] */
export function disconnected(cause?: unknown): ClientError {
  const message = 'the connection ended before the answer; the outcome is unknown'
  return new ClientError('disconnected', message, { retryable: true, cause })
}

export function clientClosed(): ClientError {
  return new ClientError('client_closed', 'the client or session is closed')
}
