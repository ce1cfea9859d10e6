import { HeldlineError } from '../../protocol/errors.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { LiveStatus, RunStatus } from '../../protocol/run-events.ts'
import type { Known } from '../commit.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { DeadlineWrite, FieldGuard } from '../store.ts'
import type { Kind } from './remembered.ts'

/** What the record keeps of a run beside its status. */
export interface RunInfo {
  readonly agent: string | null
  readonly trigger: string | null
  /** The process that holds it: its repeated start or adoption is answered, not refused. */
  readonly producer: string | null
  readonly leaseMs: number
  /** The subjects that its result is for. */
  readonly deliverTo: readonly string[]
  /** How long its result may stay unread before it is sent. */
  readonly deliverAfterMs: number
}

export const RUNS: Kind = {
  name: 'run',
  needs: (id) => [FIELD.run(id), FIELD.runInfo(id)],
  forget: (known, id) => {
    const text = known.fields.get(FIELD.run(id)) ?? null
    if (text === null) return []
    if (!isOver(parseRunText(text).status)) return null
    const { trigger } = parseRunInfo(known.fields.get(FIELD.runInfo(id)) ?? null)
    return [
      FIELD.run(id),
      FIELD.runInfo(id),
      FIELD.runSocket(id),
      FIELD.runOpen(id),
      FIELD.runQuestions(id),
      FIELD.runEffects(id),
      ...(trigger === null ? [] : [FIELD.trigger(trigger)]),
    ]
  },
  // Else a process that held it, and an effect that it reserved, would be those of a run that has its id again.
  epochOf: (known, id) => parseRunText(known.fields.get(FIELD.run(id)) ?? '').epoch,
}

/** A run as its agent knows it. */
export interface RunClaim {
  readonly run: string
  readonly epoch: number
}

/** The field of a run: short, so that the steady state of an agent that writes can be guessed. */
export interface RunField {
  readonly epoch: number
  readonly status: RunStatus
  /** The agent itself said that it is stalled: a heartbeat is no sign of the contrary. */
  readonly said: boolean
}

export function runText({ epoch, status, said }: RunField): string {
  return said ? `${epoch} ${status} said` : `${epoch} ${status}`
}

export function parseRunText(text: string): RunField {
  // The record holds only what `runText` writes.
  const [epoch = '', status = '', said] = text.split(' ')
  return { epoch: Number(epoch), status: status as RunStatus, said: said !== undefined }
}

/** @throws HeldlineError `run_not_found` */
export function parseRunInfo(text: string | null): RunInfo {
  if (text === null) throw runNotFound()
  return JSON.parse(text) as RunInfo
}

/**
 * Whether the agent's word counts: its epoch holds the run, and the run lives. What is not known yet is guessed; the guard proves it.
 * @param guess of a run that lives, in the hands of this epoch
 * @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`
 */
export function claimRun(
  known: Known,
  { run, epoch }: RunClaim,
  guess: RunField = { epoch, status: 'thinking', said: false },
): { readonly field: RunField; readonly status: LiveStatus; readonly guard: FieldGuard } {
  const name = FIELD.run(run)
  const text = known.fields.get(name)
  if (text === null) throw runNotFound()
  const field = text === undefined ? guess : parseRunText(text)
  if (epoch < field.epoch) {
    throw new HeldlineError('run_fenced', 'unable to go on; another process holds the run', {
      facts: { epoch: field.epoch },
    })
  }
  if (epoch > field.epoch) {
    throw new HeldlineError('invalid_request', 'unable to go on; Run-Epoch is ahead of the run', {
      facts: { epoch: field.epoch },
    })
  }
  const { status } = field
  if (isOver(status)) throw runOver(status)
  return { field, status, guard: { field: name, equals: runText(field) } }
}

export function runNotFound(): HeldlineError {
  return new HeldlineError('run_not_found', 'there is no such run')
}

export function runOver(status: RunStatus): HeldlineError {
  return new HeldlineError('run_over', `unable to go on; the run is ${status}`, {
    facts: { runStatus: status },
  })
}

/** After this part of the lease without a sign of life a run counts as stalled. */
const STALLED_AFTER = 0.6

/**
 * A sign of life. A run that waits for a person needs none; of one that said itself that it is stalled, nothing more is to be told before it
 * is lost.
 */
export function leaseFrom(run: string, status: RunStatus, leaseMs: number): DeadlineWrite {
  const deadline = DEADLINE.run(run)
  if (status === 'waiting' || isOver(status)) return { deadline, inMs: null }
  return { deadline, inMs: status === 'stalled' ? leaseMs : stalledAfterMs(leaseMs) }
}

/** From being seen as stalled to being lost. */
export function leaseRest(run: string, leaseMs: number): DeadlineWrite {
  return { deadline: DEADLINE.run(run), inMs: leaseMs - stalledAfterMs(leaseMs) }
}

/**
 * From the loss of the agent's socket to the loss of its run: time to come back, and to be told of its death within 5 s. Never more than
 * would have been left.
 */
export function leaseAfterSocket(run: string, leaseMs: number, leftMs: number): DeadlineWrite {
  const restMs = leaseMs - stalledAfterMs(leaseMs)
  return { deadline: DEADLINE.run(run), inMs: Math.max(0, Math.min(COME_BACK_MS, restMs, leftMs)) }
}

const COME_BACK_MS = 3000

function stalledAfterMs(leaseMs: number): number {
  return Math.ceil(leaseMs * STALLED_AFTER)
}
