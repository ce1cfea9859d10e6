import type { WireEvent } from '../event.ts'
import type {
  LiveStatus,
  RunFailed,
  RunFinished,
  RunResumed,
  RunStarted,
  RunStatus,
  RunStatusData,
} from '../run-events.ts'
import { keepLatest } from './keep-latest.ts'
import type { View } from './view.ts'

/** A run as people see it: the fold of its events. Immutable. */
export interface Run {
  readonly id: string
  /** Counts the processes that have held it; the latest alone may go on. */
  readonly epoch: number
  readonly agent: string | null
  readonly trigger: string | null
  readonly status: RunStatus
  readonly step: string | null
  readonly detail: string | null
  readonly checkpoint: unknown
  readonly output: unknown
  readonly error: RunFailed['error'] | null
  readonly metadata: Readonly<Record<string, unknown>>
  /** The subject that started it. */
  readonly by: string
  readonly startedAt: number
  readonly updatedAt: number
  readonly serial: number
}

/** Runs that are over stay in the view for a while, those that ended last. */
const OVER_RUNS = 50

export function isOver(status: RunStatus): status is Exclude<RunStatus, LiveStatus> {
  return status === 'finished' || status === 'failed' || status === 'cancelled' || status === 'lost'
}

/** The data makes sense, so the casts here only name its shape. */
export function foldRun(view: View, event: WireEvent): void {
  const data = event.data as RunStarted
  const known = view.runs.get(data.run)
  if (event.type === 'run.started') {
    if (known === undefined) view.runs.set(data.run, started(event, data))
    return
  }
  // A lost run that left the view long ago may still be adopted: it lives again.
  const resumed = event.type === 'run.resumed'
  const run = known ?? (resumed ? started(event, data) : undefined)
  if (run === undefined) return
  const change = changeOf(event, run)
  const mayChange =
    !isOver(run.status) || (run.status === 'lost' && (resumed || change?.status === 'cancelled'))
  if (change === null || !mayChange) return
  view.runs.set(run.id, { ...run, ...change, updatedAt: event.at, serial: event.serial })
  keepLatest(view.runs, OVER_RUNS, ({ status }) => isOver(status))
}

function started(event: WireEvent, data: RunStarted): Run {
  return {
    id: data.run,
    epoch: data.epoch,
    agent: data.agent ?? null,
    trigger: data.trigger ?? null,
    status: 'thinking',
    step: null,
    detail: null,
    checkpoint: null,
    output: null,
    error: null,
    metadata: data.metadata ?? {},
    by: event.by.subject,
    startedAt: event.at,
    updatedAt: event.at,
    serial: event.serial,
  }
}

function changeOf(event: WireEvent, run: Run): Partial<Run> | null {
  switch (event.type) {
    case 'run.status': {
      const { status, step, detail, checkpoint } = event.data as RunStatusData
      return {
        status,
        step: step ?? run.step,
        detail: detail ?? run.detail,
        checkpoint: checkpoint === undefined ? run.checkpoint : checkpoint,
      }
    }
    case 'run.suspended':
      return { status: 'waiting' }
    case 'run.resumed':
      return { status: 'thinking', epoch: (event.data as RunResumed).epoch }
    case 'run.finished':
      return { status: 'finished', output: (event.data as RunFinished).output ?? null }
    case 'run.failed':
      return { status: 'failed', error: (event.data as RunFailed).error }
    case 'run.cancelled':
      return { status: 'cancelled' }
    case 'run.lost':
      return { status: 'lost' }
    default:
      return null
  }
}
