import type { ErrorCode } from '../protocol/errors.ts'
import type { ResetReason } from '../protocol/frames-down.ts'
import type { Appended } from './transitions/append.ts'

/** What carries frames to a reader; `ai_sdk`: a socket of the AI SDK's own transport. */
export const CARRIERS = ['websocket', 'sse', 'ai_sdk'] as const
export type Carrier = (typeof CARRIERS)[number]

/** How events come in; `stream`: by a body that is committed as it arrives. */
export const WAYS = ['http', 'stream', 'websocket'] as const
export type Way = (typeof WAYS)[number]

/**
 * What became of a reader that came back with a position: it had missed nothing; was told the events, or what they fold to; could not be given
 * what follows its position; or was gone before it had everything.
 */
export const RESUME_RESULTS = ['current', 'events', 'folded', 'reset', 'unfinished'] as const
export type ResumeResult = (typeof RESUME_RESULTS)[number]

/** What a reader that came back was handed of what it had missed: events, and the bytes of what told of them. */
export interface Recovered {
  readonly events: number
  readonly bytes: number
}

/** Where a refusal was said: an answer over HTTP, a frame over a socket, an answer to a handshake. */
export const REFUSERS = ['http', 'websocket', 'handshake'] as const
export type Refuser = (typeof REFUSERS)[number]

/**
 * Counting as a port: `src/observe/metrics/` is it, and where nobody asks for numbers there is none. It is told once of what happens, by
 * kinds alone: no method takes an id, a subject or a payload to keep. Never throws; costs a few additions.
 */
export interface Metrics {
  /** Runs an append and counts it, its events and its bytes, and how long it took. Resolves and rejects as `append` does. */
  append(
    way: Way,
    drafts: readonly { readonly rawData: string }[],
    append: () => Promise<Appended>,
  ): Promise<Appended>
  /** Something that carries frames is open, */
  opened(carrier: Carrier): void
  /** and gone. @param code the close code, ours where we ended it; `null`: the other side went, and no code says why */
  closed(carrier: Carrier, code: number | null): void
  /** Bytes were handed to one socket or response. */
  sent(carrier: Carrier, bytes: number): void
  /** The first thing that came over it was a position: whoever it is was here before. */
  reconnected(carrier: Carrier): void
  /** A client did not answer the last ping. */
  unanswered(): void
  /** Neighbouring events were handed to one reader, in one frame. */
  fannedOut(events: number): void
  /** A reader that does not keep up was spared a signal. */
  signalDropped(): void
  /** A reader's outbox is full: its events wait in the store until it has taken some. */
  paused(): void
  /** A reader comes back with a position. @returns what is called once, with what became of it */
  resuming(): (result: ResumeResult, recovered: Recovered) => void
  /** A reader is told that what follows its position can't be given. */
  reset(reason: ResetReason): void
  refused(refuser: Refuser, code: ErrorCode): void
  /** A request was answered. @param route its method and the template of its path; `null`: it has none */
  answered(route: string | null, status: number): void
}

/** Runs an append, counted where anything is. */
export function countAppend(
  metrics: Metrics | undefined,
  way: Way,
  drafts: readonly { readonly rawData: string }[],
  append: () => Promise<Appended>,
): Promise<Appended> {
  return metrics === undefined ? append() : metrics.append(way, drafts, append)
}
