import type { By } from '../../protocol/event.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { LiveStatus, RunStatus } from '../../protocol/run-events.ts'
import type { Decision, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
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
} from './run-record.ts'
import { eventOf } from './session.ts'

export interface Beat {
  readonly status: RunStatus
  readonly leaseMs: number
  readonly live: boolean
}

/** What an agent says of itself with a sign of life. Nothing of it: a mere heartbeat. */
export interface Report {
  readonly status?: 'thinking' | 'stalled'
  readonly step?: string
  readonly detail?: string
  readonly checkpoint?: unknown
}

interface BeatRequest {
  readonly session: SessionId
  readonly claim: RunClaim
  readonly by: By
}

/**
 * A sign of life: puts the lease off, and tells people what the agent says. A heartbeat of a run that is over is answered, so that the
 * agent learns of it. [P-10.5]
 * @throws HeldlineError `run_not_found`, `run_fenced`; with a report, `run_over`
 */
export function beat(
  { session, claim, by }: BeatRequest,
  report: Report | null,
  random: Random,
): Transition<Beat> {
  const { run } = claim
  const fields = [FIELD.run(run), FIELD.runInfo(run)]
  return {
    session,
    reads: fields,
    decide: (known): Decision<Beat> => {
      const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
      const over = overOf(known.fields.get(FIELD.run(run)) ?? null, claim.epoch)
      if (report === null && over !== null) {
        return { done: { status: over, leaseMs, live: false } }
      }
      const { field, status, guard } = claimRun(known, claim, 'thinking')
      const next = statusAfter(status, report, field.said)
      const value = runText({ epoch: field.epoch, status: next, said: next === 'stalled' })
      const told = report === null ? next !== status : true
      const data = { run, ...report, status: next }
      return {
        commit: {
          guards: [guard],
          events: told ? [eventOf('run.status', data, { ...by, run }, random)] : [],
          writes: value === guard.equals ? [] : [{ field: guard.field, value }],
          deadlines: [leaseFrom(run, next, leaseMs)],
        },
        answer: () => ({ status: next, leaseMs, live: true }),
      }
    },
  }
}

/** What the run ended as in the hands of this very epoch. */
function overOf(text: string | null, epoch: number): RunStatus | null {
  if (text === null) return null
  const field = parseRunText(text)
  return isOver(field.status) && field.epoch === epoch ? field.status : null
}

function statusAfter(status: LiveStatus, report: Report | null, said: boolean): LiveStatus {
  if (status === 'waiting') return status
  if (report?.status !== undefined) return report.status
  return status === 'stalled' && !said ? 'thinking' : status
}

/** Waits for a person, or for whatever the agent waits for; and goes on. A suspended run needs no sign of life. [P-10.6] */
export function suspendRun(
  { session, claim, by }: BeatRequest,
  reason: string | undefined,
  random: Random,
): Transition<RunStatus> {
  return turn({ session, claim, by }, (status, run) =>
    status === 'waiting'
      ? null
      : {
          status: 'waiting',
          event: eventOf(
            'run.suspended',
            { run, ...(reason !== undefined && { reason }) },
            { ...by, run },
            random,
          ),
        },
  )
}

export function resumeRun(
  { session, claim, by }: BeatRequest,
  random: Random,
): Transition<RunStatus> {
  return turn({ session, claim, by }, (status, run) =>
    status === 'waiting'
      ? {
          status: 'thinking',
          event: eventOf(
            'run.resumed',
            { run, epoch: claim.epoch, reason: 'resumed' },
            { ...by, run },
            random,
          ),
        }
      : null,
  )
}

function turn(
  { session, claim }: BeatRequest,
  change: (
    status: LiveStatus,
    run: string,
  ) => { readonly status: LiveStatus; readonly event: ReturnType<typeof eventOf> } | null,
): Transition<RunStatus> {
  const { run } = claim
  return {
    session,
    reads: [FIELD.run(run), FIELD.runInfo(run)],
    decide: (known) => {
      const { field, status, guard } = claimRun(known, claim, 'thinking')
      const next = change(status, run)
      if (next === null) return { done: status }
      const { leaseMs } = parseRunInfo(known.fields.get(FIELD.runInfo(run)) ?? null)
      const value = runText({ epoch: field.epoch, status: next.status, said: false })
      return {
        commit: {
          guards: [guard],
          events: [next.event],
          writes: [{ field: guard.field, value }],
          deadlines: [leaseFrom(run, next.status, leaseMs)],
        },
        answer: () => next.status,
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
      if (field.status !== 'stalled' || field.said) {
        const stalled = runText({ ...field, status: 'stalled', said: false })
        const told = field.status !== 'stalled'
        return {
          commit: {
            guards,
            events: told ? [eventOf('run.status', { run, status: 'stalled' }, by, random)] : [],
            writes: [{ field: FIELD.run(run), value: stalled }],
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
