import type { By } from '../../protocol/event.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { RunFailed, RunStatus } from '../../protocol/run-events.ts'
import type { Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { DEADLINE, FIELD } from '../record.ts'
import { guardOf, joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { DELIVERIES } from './delivery-record.ts'
import { pendingDeliveries } from './run-deliveries.ts'
import { unknownEffects } from './run-effects.ts'
import { withdrawnQuestions } from './run-questions.ts'
import {
  claimRun,
  parseRunInfo,
  parseRunText,
  runNotFound,
  runText,
  type RunClaim,
} from './run-record.ts'
import { eventOf } from './session.ts'

/** How a run ends. */
export type Ending =
  | {
      readonly status: 'finished'
      /** JSON text. */
      readonly rawOutput?: string
      readonly deliverTo?: readonly string[]
    }
  | {
      readonly status: 'failed'
      readonly error: RunFailed['error']
      readonly deliverTo?: readonly string[]
    }
  | { readonly status: 'cancelled'; readonly reason?: string; readonly input?: string }

/** The fields that the end of a run needs. */
export function endReads(run: string): readonly string[] {
  return [
    FIELD.run(run),
    FIELD.runInfo(run),
    FIELD.runOpen(run),
    FIELD.runEffects(run),
    FIELD.runQuestions(run),
    FIELD.live,
  ]
}

/**
 * Ends a run by its agent's word. Ending it again in the same way with the same epoch changes nothing. [P-10.7]
 * @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`
 */
export function finishRun(
  request: { readonly session: SessionId; readonly by: By; readonly claim: RunClaim },
  ending: Exclude<Ending, { status: 'cancelled' }>,
  random: Random,
): Transition<RunStatus> {
  const { session, claim } = request
  const by = { ...request.by, run: claim.run }
  return {
    session,
    reads: [...endReads(claim.run), FIELD.deliveries, FIELD.recent(DELIVERIES.name)],
    decide: (known) => {
      const text = known.fields.get(FIELD.run(claim.run)) ?? null
      const same = text === runText({ epoch: claim.epoch, status: ending.status, said: false })
      if (same) return { done: ending.status }
      claimRun(known, claim)
      const info = parseRunInfo(known.fields.get(FIELD.runInfo(claim.run)) ?? null)
      const results = pendingDeliveries(known, claim.run, info, ending, random)
      if ('read' in results) return results
      const commit = joinParts(endParts(known, claim.run, ending, by, random), results)
      return { commit, answer: () => ending.status }
    },
  }
}

/** Cancels a run, whoever holds it. @returns whether this very request did it, and what the run is @throws HeldlineError `run_not_found` */
export function cancelRun(
  request: { readonly session: SessionId; readonly run: string; readonly by: By },
  ending: Extract<Ending, { status: 'cancelled' }>,
  random: Random,
): Transition<{ readonly cancelled: boolean; readonly status: RunStatus }> {
  const { session, run, by } = request
  return {
    session,
    reads: endReads(run),
    decide: (known) => {
      const text = known.fields.get(FIELD.run(run)) ?? null
      if (text === null) throw runNotFound()
      const { status } = parseRunText(text)
      // A lost run can be adopted: cancelling it is what says that it shall not be.
      if (isOver(status) && status !== 'lost') return { done: { cancelled: false, status } }
      return {
        commit: endParts(known, run, ending, by, random),
        answer: () => ({ cancelled: true, status: 'cancelled' }),
      }
    },
  }
}

const COMPLETION = { finished: 'completed', failed: 'failed', cancelled: 'interrupted' } as const

/**
 * What every end of a run changes, for a commit that may do more: its messages are completed, then its last event. All of
 * `endReads` must be known.
 */
export function endParts(
  known: Known,
  run: string,
  ending: Ending,
  by: By,
  random: Random,
): CommitParts {
  const { epoch } = parseRunText(known.fields.get(FIELD.run(run)) ?? '')
  const status = COMPLETION[ending.status]
  const ids = parseList(known.fields.get(FIELD.runOpen(run)) ?? null)
  // Somebody else may have completed one of them: a conflict tells.
  const open = ids.filter((id) => (known.fields.get(FIELD.message(id)) ?? 'open') === 'open')
  const live = parseList(known.fields.get(FIELD.live) ?? null)
  const messages: Partial<CommitParts> = {
    guards: ids.map((id) => guardOf(known, FIELD.message(id), 'open')),
    events: open.map((message) =>
      eventOf('message.completed', { message, status }, { ...by, run }, random),
    ),
    writes: [
      ...open.map((id) => ({ field: FIELD.message(id), value: 'completed' })),
      { field: FIELD.runOpen(run), value: null },
    ],
  }
  const last: Partial<CommitParts> = {
    guards: [FIELD.run(run), FIELD.runInfo(run), FIELD.runOpen(run), FIELD.live].map((field) =>
      guardOf(known, field),
    ),
    events: [rawEventOf(`run.${ending.status}`, lastData(run, ending), { ...by, run }, random)],
    writes: [
      { field: FIELD.run(run), value: runText({ epoch, status: ending.status, said: false }) },
      { field: FIELD.live, value: listText(live.filter((id) => id !== run)) },
    ],
    deadlines: [{ deadline: DEADLINE.run(run), inMs: null }],
  }
  return joinParts(
    messages,
    withdrawnQuestions(known, run, { ...by, run }, random),
    unknownEffects(known, run, random),
    last,
  )
}

/** JSON text. */
function lastData(run: string, ending: Ending): string {
  switch (ending.status) {
    case 'finished':
      return withRaw({ run }, { output: ending.rawOutput ?? null })
    case 'failed':
      return withRaw({ run, error: ending.error }, {})
    case 'cancelled':
      return withRaw({ run, reason: ending.reason, input: ending.input }, {})
  }
}
