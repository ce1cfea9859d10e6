import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import { guardOf, joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import { effectStatus, parseEffect, type EffectRecord } from './effect-record.ts'
import { beat } from './run-lease.ts'
import { claimRun, runOver, type RunClaim } from './run-record.ts'
import { eventOf } from './session.ts'

export interface ReserveRequest {
  readonly session: SessionId
  readonly claim: RunClaim
  readonly effect: string
  readonly tool: string | null
  readonly by: By
  /** Names this very request: asked again, it is answered again. */
  readonly idempotencyKey: string | null
  readonly maxOpenEffects: number
}

/** `reserved`: do it now, then record it. Anything else: do not. [P-13.2] */
export interface Reserved {
  readonly status: 'reserved' | 'in_progress' | 'done' | 'unknown'
  readonly attempt: number
  /** JSON text of what was recorded. */
  readonly result: string | null
  /** Whether this very request reserved it. */
  readonly created: boolean
}

/**
 * Reserves an effect before it happens: for one process, once. [P-13.1] [P-13.2]
 * @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`, `session_closed`, `session_limit`
 */
export function reserveEffect(request: ReserveRequest, random: Random): Transition<Reserved> {
  const { session, claim, effect } = request
  const by = { ...request.by, run: claim.run }
  const pulse = beat({ session, claim, by }, null, random)
  const field = FIELD.effect(effect)
  return {
    session,
    reads: [...(pulse.reads ?? []), FIELD.closed, FIELD.runEffects(claim.run), field],
    decide: (known): Decision<Reserved> => {
      claimRun(known, claim)
      const before = parseEffect(known.fields.get(field) ?? null)
      const holder = before === null ? null : FIELD.run(before.run)
      if (holder !== null && !known.fields.has(holder)) return { read: [holder] }
      const alive = pulse.decide(known)
      if ('read' in alive) return alive
      if ('done' in alive) throw runOver(alive.done.status)
      const found = before === null ? null : answerOf(before, request, known)
      if (found !== null && holder !== null) {
        // Nothing changes but the lease, and what the answer relies on is still so.
        const guards = [guardOf(known, field), guardOf(known, holder)]
        return { commit: joinParts(alive.commit, { guards }), answer: () => found }
      }
      const attempt = (before?.attempt ?? 0) + 1
      return {
        commit: joinParts(alive.commit, reservation(request, attempt, known, by, random)),
        answer: () => ({ status: 'reserved', attempt, result: null, created: true }),
      }
    },
  }
}

/** `null`: it may be reserved again. */
function answerOf(
  before: EffectRecord,
  { idempotencyKey }: ReserveRequest,
  known: Known,
): Reserved | null {
  const { attempt, result, request } = before
  const status = effectStatus(before, known)
  if (status === 'retry') return null
  const again = status === 'reserved' && idempotencyKey !== null && request === idempotencyKey
  const told = status === 'reserved' && !again ? 'in_progress' : status
  return { status: told, attempt, result, created: false }
}

function reservation(
  { claim, effect, tool, idempotencyKey, maxOpenEffects }: ReserveRequest,
  attempt: number,
  known: Known,
  by: By,
  random: Random,
): Partial<CommitParts> {
  if ((known.fields.get(FIELD.closed) ?? null) !== null) {
    throw new HeldlineError('session_closed', 'unable to reserve; the session is closed')
  }
  const { run, epoch } = claim
  const list = FIELD.runEffects(run)
  const open = parseList(known.fields.get(list) ?? null)
  if (open.length >= maxOpenEffects) throw tooMany(maxOpenEffects)
  const record: EffectRecord = {
    run,
    epoch,
    tool,
    attempt,
    status: 'reserved',
    request: idempotencyKey,
    result: null,
  }
  const data = { effect, run, ...(tool !== null && { tool }), attempt }
  const field = FIELD.effect(effect)
  return {
    guards: [{ field: FIELD.closed, equals: null }, guardOf(known, field), guardOf(known, list)],
    events: [eventOf('effect.reserved', data, by, random)],
    writes: [
      { field, value: JSON.stringify(record) },
      { field: list, value: listText([...open, effect]) },
    ],
  }
}

function tooMany(maxEffects: number): HeldlineError {
  return new HeldlineError(
    'session_limit',
    `unable to reserve; the run has ${maxEffects} effects that it has not recorded`,
    { facts: { maxEffects } },
  )
}
