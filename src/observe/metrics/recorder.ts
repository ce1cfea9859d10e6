import type { Carrier, Metrics, Recovered, Refuser, ResumeResult, Way } from '../../core/metrics.ts'
import type { Appended } from '../../core/transitions/append.ts'
import { errorRow, HeldlineError, type ErrorCode } from '../../protocol/errors.ts'
import type { ResetReason } from '../../protocol/frames-down.ts'
import { closeReason } from './close-reason.ts'
import type { Numbers } from './numbers.ts'
import type { Cell } from './series.ts'

/** Writes down what the rest of the server tells of. What happens for each reader of each event is one addition. */
export class Recorder implements Metrics {
  readonly #numbers: Numbers
  readonly #sent: Readonly<Record<Carrier, Cell>>
  readonly #frames: Cell
  readonly #events: Cell

  constructor(numbers: Numbers) {
    this.#numbers = numbers
    const sent = numbers.series('heldline_sent_bytes_total')
    this.#sent = {
      websocket: sent.cell('websocket'),
      sse: sent.cell('sse'),
      ai_sdk: sent.cell('ai_sdk'),
    }
    this.#frames = numbers.series('heldline_fanout_frames_total').cell()
    this.#events = numbers.series('heldline_fanout_events_total').cell()
  }

  async append(
    way: Way,
    drafts: readonly { readonly rawData: string }[],
    append: () => Promise<Appended>,
  ): Promise<Appended> {
    const began = performance.now()
    const count = (result: string): void => {
      const seconds = (performance.now() - began) / 1000
      this.#numbers.histogram('heldline_append_duration_seconds').observe({ way }, seconds)
      this.#numbers.series('heldline_appends_total').add(1, way, result)
    }
    try {
      const done = await append()
      count(done.committed === null ? 'duplicate' : 'ok')
      let bytes = 0
      for (const { rawData } of drafts) bytes += Buffer.byteLength(rawData)
      this.#numbers.series('heldline_appended_events_total').add(drafts.length, way)
      this.#numbers.series('heldline_appended_bytes_total').add(bytes, way)
      return done
    } catch (error) {
      count(resultOf(error))
      throw error
    }
  }

  opened(carrier: Carrier): void {
    this.#numbers.series('heldline_connections').add(1, carrier)
    this.#numbers.series('heldline_connections_opened_total').add(1, carrier)
  }

  closed(carrier: Carrier, code: number | null): void {
    this.#numbers.series('heldline_connections').add(-1, carrier)
    this.#numbers.series('heldline_connections_closed_total').add(1, carrier, closeReason(code))
  }

  sent(carrier: Carrier, bytes: number): void {
    this.#sent[carrier].value += bytes
  }

  reconnected(carrier: Carrier): void {
    this.#numbers.series('heldline_reconnects_total').add(1, carrier)
  }

  unanswered(): void {
    this.#numbers.series('heldline_ping_timeouts_total').add(1)
  }

  fannedOut(events: number): void {
    this.#frames.value++
    this.#events.value += events
  }

  signalDropped(): void {
    this.#numbers.series('heldline_signals_dropped_total').add(1)
  }

  paused(): void {
    this.#numbers.series('heldline_outbox_full_total').add(1)
  }

  resuming(): (result: ResumeResult, recovered: Recovered) => void {
    const began = performance.now()
    return (result, { events, bytes }) => {
      this.#numbers.series('heldline_resumes_total').add(1, result)
      this.#numbers.series('heldline_gap_events_recovered_total').add(events)
      this.#numbers.series('heldline_gap_bytes_recovered_total').add(bytes)
      if (result === 'unfinished') return
      const seconds = (performance.now() - began) / 1000
      this.#numbers.histogram('heldline_resume_duration_seconds').observe({ result }, seconds)
    }
  }

  reset(reason: ResetReason): void {
    this.#numbers.series('heldline_resets_total').add(1, reason)
  }

  refused(refuser: Refuser, code: ErrorCode): void {
    this.#numbers.series('heldline_refusals_total').add(1, refuser, code)
  }

  answered(route: string | null, status: number): void {
    const kind = `${Math.floor(status / 100)}xx`
    this.#numbers.series('heldline_http_requests_total').add(1, route ?? 'none', kind)
  }
}

function resultOf(error: unknown): string {
  if (!(error instanceof HeldlineError)) return 'failed'
  if (error.code === 'outcome_unknown' || error.code === 'durability_timeout') return 'unknown'
  return errorRow(error.code).status < 500 ? 'refused' : 'failed'
}
