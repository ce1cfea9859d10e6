import type { By } from '../../protocol/event.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { LiveStatus, RunStatus } from '../../protocol/run-events.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { DEADLINE, FIELD } from '../record.ts'
import type { FieldWrite } from '../store.ts'
import { guardOf, joinParts, listText, parseList } from './commit-parts.ts'
import { unknownEffects } from './run-effects.ts'
import {
  claimRun,
  leaseFrom,
  leaseRest,
  parseRunInfo,
  parseRunText,
  runText,
  type RunClaim,
  type RunField,
} from './run-record.ts'
import { eventOf } from './session.ts'

export interface Beat {
  readonly status: RunStatus
  readonly leaseMs: number
  readonly live: boolean
  /** How many inputs wait in the session. */
  readonly inputs: number
}

/** What an agent says of itself with a sign of life. Nothing of it: a mere heartbeat. */
export interface Report {
  readonly status?: 'thinking' | 'stalled'
  readonly step?: string
  readonly detail?: string
  /** JSON text. */
  readonly rawCheckpoint?: string
}

export interface BeatRequest {
  readonly session: SessionId
  readonly claim: RunClaim
  readonly by: By
  /** The connection that it comes over, which stands for the agent from now on; `null`: none does. Left out, it stays as it is. */
  readonly socket?: string | null
}

/**
 * A sign of life: puts the lease off, and tells people what the agent says. A heartbeat of a run that is over is answered, so that the
 * agent learns of it. [P-10.5]
 * @throws HeldlineError `run_not_found`, `run_fenced`; with a report, `run_over`
 */
export function beat(
  { session, claim, by, socket }: BeatRequest,
  report: Report | null,
  random: Random,
): Transition<Beat> {
  const { run } = claim
  const statusEvent = (status: LiveStatus, said: Report | null) => {
    const fields = { run, status, step: said?.step, detail: said?.detail }
    const data = withRaw(fields, { checkpoint: said?.rawCheckpoint ?? null })
    return rawEventOf('run.status', data, { ...by, run }, random)
  }
  return {
    session,
    reads: [
      FIELD.run(run),
      FIELD.runInfo(run),
      FIELD.inputs,
      ...(socket === undefined ? [] : [FIELD.runSocket(run)]),
    ],
    decide: (known): Decision<Beat> => {
      const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
      const inputs = parseList(known.fields.get(FIELD.inputs) ?? null).length
      const over = overOf(known.fields.get(FIELD.run(run)) ?? null, claim.epoch)
      if (report === null && over !== null) {
        return { done: { status: over, leaseMs, live: false, inputs } }
      }
      const { field, status, guard } = claimRun(known, claim)
      const next = statusAfter(field, status, report)
      const value = runText({ epoch: field.epoch, status: next, said: next === 'stalled' })
      const told = report !== null || next !== status
      return {
        commit: {
          guards: [guard],
          events: told ? [statusEvent(next, report)] : [],
          writes: [
            ...(value === guard.equals ? [] : [{ field: guard.field, value }]),
            ...spokenBy(known, run, socket),
          ],
          deadlines: [leaseFrom(run, next, leaseMs)],
        },
        answer: () => ({ status: next, leaseMs, live: true, inputs }),
      }
    },
  }
}

/** The newest socket stands for the agent, or none: the loss of an older one says nothing. [P-10.12] */
function spokenBy(
  known: Known,
  run: string,
  socket: string | null | undefined,
): readonly FieldWrite[] {
  const field = FIELD.runSocket(run)
  const same = socket === undefined || (known.fields.get(field) ?? null) === socket
  return same ? [] : [{ field, value: socket }]
}

/** What the run ended as in the hands of this very epoch. */
function overOf(text: string | null, epoch: number): RunStatus | null {
  if (text === null) return null
  const field = parseRunText(text)
  return isOver(field.status) && field.epoch === epoch ? field.status : null
}

function statusAfter(field: RunField, status: LiveStatus, report: Report | null): LiveStatus {
  if (status === 'waiting') return status
  if (report?.status !== undefined) return report.status
  return status === 'stalled' && !field.said ? 'thinking' : status
}

/** Waits for a person, or for whatever the agent waits for. A suspended run needs no sign of life. [P-10.6] */
export function suspendRun(
  request: BeatRequest,
  reason: string | undefined,
  random: Random,
): Transition<LiveStatus> {
  const data = { run: request.claim.run, ...(reason !== undefined && { reason }) }
  return turn(request, 'waiting', ['run.suspended', data], random)
}

/** Goes on after a suspension. A run that has a question open goes on waiting for its answer. [P-10.6] */
export function resumeRun(request: BeatRequest, random: Random): Transition<LiveStatus> {
  const { run, epoch } = request.claim
  return turn(request, 'thinking', ['run.resumed', { run, epoch, reason: 'resumed' }], random)
}

/** From waiting to not waiting, or back; where it is so already, nothing changes. */
function turn(
  { session, claim, by }: BeatRequest,
  to: 'waiting' | 'thinking',
  told: readonly [type: string, data: object],
  random: Random,
): Transition<LiveStatus> {
  const { run } = claim
  return {
    session,
    reads: [FIELD.run(run), FIELD.runInfo(run), FIELD.runQuestions(run)],
    decide: (known) => {
      const { field, status, guard } = claimRun(known, claim)
      const asks = (known.fields.get(FIELD.runQuestions(run)) ?? null) !== null
      const already = (status === 'waiting') === (to === 'waiting')
      if (already || (asks && to === 'thinking')) return { done: status }
      const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
      return {
        commit: {
          guards: [guard, guardOf(known, FIELD.runQuestions(run))],
          events: [eventOf(...told, { ...by, run }, random)],
          writes: [
            { field: guard.field, value: runText({ epoch: field.epoch, status: to, said: false }) },
          ],
          deadlines: [leaseFrom(run, to, leaseMs)],
        },
        answer: () => to,
      }
    },
  }
}

/**
 * A run's deadline is due: nothing was heard for a part of the lease, so it is stalled; or for all of it, so it is lost. [P-10.4]
 * @param at as `due` gave it: it fires once, whichever nodes look
 */
export function leaseDue(
  { session, run, at }: { readonly session: SessionId; readonly run: string; readonly at: number },
  random: Random,
): Transition<'stalled' | 'lost' | 'nothing'> {
  const deadline = DEADLINE.run(run)
  const fields = [FIELD.run(run), FIELD.runInfo(run), FIELD.live, FIELD.runEffects(run)]
  const by: By = { subject: 'server', run }
  return {
    session,
    reads: fields,
    decide: (known) => {
      if (known.deadlines.has(deadline) && known.deadlines.get(deadline) !== at) {
        return { done: 'nothing' }
      }
      const text = known.fields.get(FIELD.run(run)) ?? null
      const field = text === null ? null : parseRunText(text)
      const guards = [{ deadline, at }, guardOf(known, FIELD.run(run))]
      if (field === null || isOver(field.status) || field.status === 'waiting') {
        return {
          commit: { guards, deadlines: [{ deadline, inMs: null }] },
          answer: () => 'nothing',
        }
      }
      const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
      if (field.status !== 'stalled') {
        return {
          commit: {
            guards,
            events: [eventOf('run.status', { run, status: 'stalled' }, by, random)],
            writes: [{ field: FIELD.run(run), value: runText({ ...field, status: 'stalled' }) }],
            deadlines: [leaseRest(run, leaseMs)],
          },
          answer: () => 'stalled',
        }
      }
      const live = parseList(known.fields.get(FIELD.live) ?? null)
      const commit = joinParts(unknownEffects(known, run, random), {
        guards: [...guards, guardOf(known, FIELD.live)],
        events: [eventOf('run.lost', { run, epoch: field.epoch }, by, random)],
        writes: [
          { field: FIELD.run(run), value: runText({ ...field, status: 'lost', said: false }) },
          { field: FIELD.live, value: listText(live.filter((id) => id !== run)) },
        ],
        deadlines: [{ deadline, inMs: null }],
      })
      return { commit, answer: () => 'lost' }
    },
  }
}
