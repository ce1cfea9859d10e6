import type { ErrorCode } from '../protocol/errors.ts'

/**
 * What can go wrong on this side alone: `disconnected` (no answer came: the outcome is unknown), `timeout` (likewise), `token_failed` (the callback threw, which had given one before),
 * `agent_closed`, `invalid_answer` (what answered does not speak this protocol: the outcome is unknown), `stream_failed` (the model's stream told of
 * an error), `buffer_full` (writes were not awaited), `effect_unknown`, `given_up` (a run that too many processes had taken over, and lost); `http_<status>` where something between us and the server answered in its place.
 */
export type LocalCode =
  | 'disconnected'
  | 'timeout'
  | 'token_failed'
  | 'agent_closed'
  | 'invalid_answer'
  | 'stream_failed'
  | 'buffer_full'
  | 'effect_unknown'
  | 'given_up'

/** A refusal of the server (a code of its table) or a failure of this side. The client has its own: what it knows of its side has other codes. */
export class AgentError extends Error {
  /** Stable. A code that this version does not know is passed through as it came. */
  readonly code: ErrorCode | LocalCode | (string & {})
  /** Whether the same request, with the same ids, may succeed later. */
  readonly retryable: boolean
  /** How long to wait before that, in milliseconds, where the server said. */
  readonly retryAfterMs: number | undefined
  readonly facts: Readonly<Record<string, unknown>>

  constructor(code: AgentError['code'], message: string, options: AgentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AgentError'
    this.code = code
    this.retryable = options.retryable ?? false
    this.retryAfterMs = options.retryAfterMs
    this.facts = options.facts ?? {}
  }
}

interface AgentErrorOptions {
  readonly retryable?: boolean | undefined
  readonly retryAfterMs?: number | undefined
  readonly facts?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}

/** An effect was reserved by a process that is gone: nobody can tell whether it happened. A person decides. [P-13.2] */
export class EffectUnknownError extends AgentError {
  readonly effect: string

  constructor(effect: string) {
    super('effect_unknown', 'unable to tell whether the effect happened; somebody has to decide', {
      facts: { effect },
    })
    this.name = 'EffectUnknownError'
    this.effect = effect
  }
}

/** Nothing came back: it may or may not have happened. Never to be taken for a refusal. [P-2.7] */
export function disconnected(cause?: unknown): AgentError {
  const message = 'the connection ended before the answer; the outcome is unknown'
  return new AgentError('disconnected', message, { retryable: true, cause })
}

/** What came is not the server's word: something between may have answered in its place, so that the outcome is unknown. */
export function invalidAnswer(message: string): AgentError {
  return new AgentError('invalid_answer', message, { retryable: true })
}

export function agentClosed(): AgentError {
  return new AgentError('agent_closed', 'the agent is closed')
}

/** Whether the run is in nobody's hands any more, or in those of another process: nothing of it can be written. */
export function endsRun(error: unknown): boolean {
  return error instanceof AgentError && RUN_ENDS.has(error.code)
}

/** Whether the session itself is gone, and everything in it. */
export function isRemoval(error: unknown): boolean {
  return error instanceof AgentError && error.code === 'session_not_found'
}

const RUN_ENDS = new Set<string>(['run_over', 'run_fenced', 'run_not_found', 'producer_fenced'])
