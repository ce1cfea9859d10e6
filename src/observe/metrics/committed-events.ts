import type { NewEvent } from '../../core/store.ts'
import { EVENT_DATA } from '../../protocol/event.ts'
import type { Numbers } from './numbers.ts'
import type { Cell } from './series.ts'

const RUN_ENDS = ['finished', 'failed', 'cancelled', 'lost'] as const

/**
 * What happens, counted where it is committed: by the types of events, and what a few of them say at their end. Whichever node commits an event
 * counts it, so that all nodes together count it once.
 */
export class CommittedEvents {
  /** By the type; those of applications are one. */
  readonly #types: ReadonlyMap<string, Cell>
  readonly #own: Cell
  /** What else a type means. */
  readonly #meanings: ReadonlyMap<string, (body: string) => void>

  constructor(numbers: Numbers) {
    const events = numbers.series('heldline_events_total')
    this.#types = new Map(Object.keys(EVENT_DATA).map((type) => [type, events.cell(type)]))
    this.#own = events.cell('x')
    this.#meanings = meanings(numbers)
  }

  count(events: readonly NewEvent[]): void {
    for (const { body } of events) {
      const type = typeOf(body)
      const cell = this.#types.get(type) ?? this.#own
      cell.value++
      this.#meanings.get(type)?.(body)
    }
  }
}

const STALLED = /,"data":\{"run":"[^"]*","status":"stalled"/

/** A body begins with its type. */
const BEFORE_TYPE = '"type":"'.length

function typeOf(body: string): string {
  return body.slice(BEFORE_TYPE, body.indexOf('"', BEFORE_TYPE))
}

function meanings(numbers: Numbers): ReadonlyMap<string, (body: string) => void> {
  const adder = (cell: Cell) => (): void => void cell.value++
  const ended = numbers.series('heldline_runs_ended_total')
  const deliveries = numbers.series('heldline_deliveries_total')
  const stalled = numbers.series('heldline_runs_stalled_total').cell()
  const [read, webhook] = [deliveries.cell('read'), deliveries.cell('webhook')]
  return new Map<string, (body: string) => void>([
    ['run.started', adder(numbers.series('heldline_runs_started_total').cell())],
    ...RUN_ENDS.map((end) => [`run.${end}`, adder(ended.cell(end))] as const),
    ['delivery.pending', adder(deliveries.cell('pending'))],
    ['delivery.failed', adder(deliveries.cell('failed'))],
    // Both are written by the server, always in these forms; a quote within a text has a backslash before it.
    ['run.status', (body) => STALLED.test(body) && stalled.value++],
    ['delivery.acked', (body) => (body.endsWith('"via":"webhook"}}') ? webhook : read).value++],
  ])
}
