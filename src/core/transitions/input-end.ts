import type { By } from '../../protocol/event.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { InputDelivered } from '../../protocol/input-events.ts'
import type { RunStatus } from '../../protocol/run-events.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, joinParts } from './commit-parts.ts'
import { answeredBy, endWait, expireInput, inputNotFound, parseInput } from './input-record.ts'
import { INPUTS } from './input-remembered.ts'
import { remember } from './remembered.ts'
import { endReads } from './run-end.ts'
import { beat } from './run-lease.ts'
import { claimRun, parseRunText, runOver, type RunClaim } from './run-record.ts'
import { CANCELLED_TRIGGER } from './run-start.ts'
import { eventOf } from './session.ts'
import { stopRuns } from './stop-runs.ts'

export interface DeliverRequest {
  readonly session: SessionId
  readonly input: string
  readonly claim: RunClaim
  /** The step of the run at which its agent takes it. */
  readonly step?: string
  readonly by: By
}

export interface Delivered {
  /** Whether this very request did it. */
  readonly taken: boolean
  /** The message that the run answers with it; `null`: none, by a root; missing: it says nothing of that. [P-16.6] */
  readonly parent?: string | null
}

/**
 * A run takes an input that waits: from then on it is that run's alone. A sign of life of the run, too. [P-11.3]
 * @throws HeldlineError `input_not_found`, `input_taken`, `run_not_found`, `run_fenced`, `run_over`
 */
export function deliverInput(request: DeliverRequest, random: Random): Transition<Delivered> {
  const { session, input, claim, step } = request
  const by = { ...request.by, run: claim.run }
  const pulse = beat({ session, claim, by }, null, random)
  const data: InputDelivered = { input, run: claim.run, ...(step !== undefined && { step }) }
  const field = FIELD.input(input)
  return {
    session,
    reads: [...(pulse.reads ?? []), field, FIELD.inputs, FIELD.message(input)],
    decide: (known) => {
      const before = parseInput(known.fields.get(field) ?? null)
      const parent = answeredBy(known, input, before)
      const answer = (taken: boolean) => ({ taken, ...(parent !== undefined && { parent }) })
      if (before?.status === 'delivered' && before.run === claim.run) {
        demandEpoch(known, claim)
        return { done: answer(false) }
      }
      claimRun(known, claim)
      if (before?.status === 'delivered') throw taken(before.run)
      if (before?.status !== 'waiting') throw inputNotFound(before?.status, parent)
      const alive = pulse.decide(known)
      if ('read' in alive) return alive
      if ('done' in alive) throw runOver(alive.done.status)
      const own = {
        ...endWait(known, input, {
          status: 'delivered',
          run: claim.run,
          ...(step !== undefined && { step }),
        }),
        events: [eventOf('input.delivered', data, by, random)],
      }
      return { commit: joinParts(alive.commit, own), answer: () => answer(true) }
    },
  }
}

/** What a retry brings again is answered even when the run is over, but not to whom it was taken from. */
function demandEpoch(known: Known, claim: RunClaim): void {
  const text = known.fields.get(FIELD.run(claim.run)) ?? null
  if (text === null || parseRunText(text).epoch !== claim.epoch) claimRun(known, claim)
}

function taken(run: string | undefined): HeldlineError {
  return new HeldlineError('input_taken', 'unable to take the input; another run has it', {
    facts: { run },
  })
}

export interface CancelledInput {
  /** Whether this very request changed something. */
  readonly cancelled: boolean
  /** The run that it triggered. */
  readonly run?: string
  readonly status?: RunStatus
}

/**
 * Takes an input back: where it waits, it is over; the run that it triggered is cancelled; and where there is no such run yet, there will be
 * none, however the cancel and the start overtake each other. [P-11.4]
 */
export function cancelInput(
  request: {
    readonly session: SessionId
    readonly input: string
    readonly reason?: string
    readonly by: By
  },
  random: Random,
): Transition<CancelledInput> {
  const { session, input, reason, by } = request
  const trigger = FIELD.trigger(input)
  return {
    session,
    reads: [FIELD.input(input), FIELD.inputs, trigger, FIELD.recent(INPUTS.name)],
    decide: (known) => {
      const before = parseInput(known.fields.get(FIELD.input(input)) ?? null)
      const waits = before?.status === 'waiting'
      const started = known.fields.get(trigger) ?? null
      const run = started === CANCELLED_TRIGGER ? null : started
      const missing = (run === null ? [] : endReads(run)).filter((name) => !known.fields.has(name))
      if (missing.length > 0) return { read: missing }
      const status = run === null ? null : statusOf(known, run)
      const stops = run !== null && status !== null && (!isOver(status) || status === 'lost')
      const prevents = started === null && (before === null || waits)
      if (!waits && !stops && !prevents) return { done: answerOf(false, run, status) }
      // Also one that is not there, and may yet come.
      const isNew = prevents && before === null
      const kept = isNew ? remember(known, INPUTS, [input]) : { guards: [], writes: [] }
      if ('read' in kept) return kept
      const ending = { status: 'cancelled', ...(reason !== undefined && { reason }) } as const
      const commit = joinParts(
        { guards: [guardOf(known, FIELD.input(input)), guardOf(known, trigger)] },
        waits ? expireInput(known, input, 'cancelled', by, random) : {},
        stops ? stopRuns(known, [run], ending, by, random) : {},
        prevents ? { writes: [{ field: trigger, value: CANCELLED_TRIGGER }] } : {},
        kept,
      )
      return { commit, answer: () => answerOf(true, run, stops ? 'cancelled' : status) }
    },
  }
}

function statusOf(known: Known, run: string): RunStatus | null {
  const text = known.fields.get(FIELD.run(run)) ?? null
  return text === null ? null : parseRunText(text).status
}

function answerOf(
  cancelled: boolean,
  run: string | null,
  status: RunStatus | null,
): CancelledInput {
  return { cancelled, ...(run !== null && { run }), ...(status !== null && { status }) }
}

/** An input's deadline is due. @param at as `due` gave it: it fires once, whichever nodes look */
export function inputDue(
  request: { readonly session: SessionId; readonly input: string; readonly at: number },
  random: Random,
): Transition<boolean> {
  const { session, input, at } = request
  const deadline = DEADLINE.input(input)
  const field = FIELD.input(input)
  return {
    session,
    reads: [field, FIELD.inputs],
    decide: (known) => {
      if (known.deadlines.has(deadline) && known.deadlines.get(deadline) !== at) {
        return { done: false }
      }
      const waits = parseInput(known.fields.get(field) ?? null)?.status === 'waiting'
      const own = waits
        ? expireInput(known, input, 'expired', { subject: 'server' }, random)
        : { guards: [guardOf(known, field)], deadlines: [{ deadline, inMs: null }] }
      return { commit: joinParts({ guards: [{ deadline, at }] }, own), answer: () => waits }
    },
  }
}
