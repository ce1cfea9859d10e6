import type { TransportKind } from './transport.ts'

const RUNGS: readonly TransportKind[] = ['websocket', 'sse', 'long-poll']
const FAILURES_TO_FALL = 2
const CLIMB_AFTER_MS = 5 * 60_000

/**
 * Which transport to try next. A WebSocket that does not open twice gives way to SSE; a stream that stays silent is being
 * buffered and gives way to long-polling. Where the lower one does not open either, the server is away, not the transport
 * forbidden, and the top is tried again; as it is some minutes after a fall, when something must be opened anyway.
 */
export class Ladder {
  readonly #fixed: TransportKind | null
  #rung = 0
  #failures = 0
  #fellAt = 0

  constructor(transport: TransportKind | 'auto') {
    this.#fixed = transport === 'auto' ? null : transport
  }

  next(now: number): TransportKind {
    if (this.#rung > 0 && now - this.#fellAt > CLIMB_AFTER_MS) this.restart()
    return this.#fixed ?? RUNGS[this.#rung] ?? 'websocket'
  }

  /** It opened and the first heartbeat came. */
  succeeded(): void {
    this.#failures = 0
  }

  /** It ended before the first heartbeat. `silent`: it had opened, and then nothing came in time. */
  failed(how: 'unopened' | 'silent', now: number): void {
    this.#failures += 1
    if (how === 'unopened' && this.#rung > 0) return this.restart()
    if (how === 'unopened' && this.#failures < FAILURES_TO_FALL) return
    this.#failures = 0
    this.#rung = Math.min(this.#rung + 1, RUNGS.length - 1)
    this.#fellAt = now
  }

  /** Another network, perhaps: from the top. */
  restart(): void {
    this.#rung = 0
    this.#failures = 0
  }
}
