import type { Received } from '../received.ts'
import type { UpFrame } from '../../protocol/frames-up.ts'
import type { Secrets } from '../credentials.ts'

/** What somebody says who holds no run. */
export type ClientFrame = Exclude<UpFrame, { readonly op: 'beat' }>

export type TransportKind = 'websocket' | HttpKind
export type HttpKind = 'sse' | 'long-poll'

/**
 * Carries frames, whatever lies underneath. Every transport speaks as a socket does: `welcome` first, each frame with a
 * `ref` answered by one with the same, `heartbeat` often enough. What a transport cannot carry it answers with an `error`.
 */
export interface Transport {
  readonly kind: TransportKind
  /** Takes a frame, or says that it can't now: the frame is then lost, and the caller knows. Never throws. */
  send(frame: ClientFrame): boolean
  /** Ends it. Idempotent; nothing is told after it. */
  close(): void
}

/** What a transport tells, and never before the call that opened it has returned. */
export interface TransportEvents {
  frame(frame: Received): void
  /**
   * The last that is told, and told once.
   * @param code a WebSocket close code; 1006 where there is none
   * @param retryAfterMs how long to wait before another, where the other side said
   */
  closed(code: number, retryAfterMs?: number): void
}

/** Begins to connect. Does not throw: a failure is told by `closed`. */
export type OpenTransport = (
  kind: TransportKind,
  secrets: Secrets,
  events: TransportEvents,
) => Transport
