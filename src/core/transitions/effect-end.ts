import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import type { Decision, Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { FIELD } from '../record.ts'
import { guardOf, joinParts, listText, parseList, type CommitParts } from './commit-parts.ts'
import {
  effectConflict,
  effectNotFound,
  effectStatus,
  parseEffect,
  type EffectRecord,
} from './effect-record.ts'
import { beat } from './run-lease.ts'
import type { RunClaim } from './run-record.ts'
import { eventOf } from './session.ts'

export interface RecordRequest {
  readonly session: SessionId
  readonly effect: string
  /** Who did it: whoever reserved it last, though it may hold the run no more. */
  readonly claim: RunClaim
  /** JSON text as it came. */
  readonly result: string | null
  readonly by: By
}

/**
 * Records that an effect has happened, once. A process that lost its run may do so too: better late than never known. The same result
 * again changes nothing. [P-13.3]
 * @returns whether this very request did it
 * @throws HeldlineError `effect_not_found`, `effect_conflict`
 */
export function recordEffect(request: RecordRequest, random: Random): Transition<boolean> {
  const { session, effect, claim, result } = request
  const by = { ...request.by, run: claim.run }
  const pulse = beat({ session, claim, by }, null, random)
  return {
    session,
    reads: [...(pulse.reads ?? []), FIELD.effect(effect), FIELD.runEffects(claim.run)],
    decide: (known): Decision<boolean> => {
      const before = parseEffect(known.fields.get(FIELD.effect(effect)) ?? null)
      if (before === null) throw effectNotFound()
      if (before.status === 'done') return { done: demandSame(before, result) }
      const { run, epoch, attempt } = before
      if (run !== claim.run || epoch !== claim.epoch) {
        throw effectConflict('another process has reserved the effect', { run, epoch, attempt })
      }
      // Whoever holds its run shows that it lives, too; whoever does not, shows nothing.
      const alive = effectStatus(before, known) === 'reserved' ? pulse.decide(known) : null
      const sign = alive !== null && 'commit' in alive ? alive.commit : {}
      const own = completion(effect, before, result, known, by, random)
      return { commit: joinParts(sign, own), answer: () => true }
    },
  }
}

export type Decided =
  | { readonly outcome: 'done'; readonly result: string | null }
  | { readonly outcome: 'retry' }

/**
 * A person decides on an effect of which nobody can tell whether it happened. [P-13.3]
 * @returns whether this very request did it
 * @throws HeldlineError `effect_not_found`, `effect_conflict`
 */
export function decideEffect(
  request: { readonly session: SessionId; readonly effect: string; readonly by: By },
  decided: Decided,
  random: Random,
): Transition<boolean> {
  const { session, effect, by } = request
  const field = FIELD.effect(effect)
  return {
    session,
    reads: [field],
    decide: (known): Decision<boolean> => {
      const before = parseEffect(known.fields.get(field) ?? null)
      if (before === null) throw effectNotFound()
      const holder = FIELD.run(before.run)
      const missing = [holder, FIELD.runEffects(before.run)].filter((f) => !known.fields.has(f))
      if (missing.length > 0) return { read: missing }
      if (before.status === 'done' && decided.outcome === 'done') {
        return { done: demandSame(before, decided.result) }
      }
      if (before.status === 'retry' && decided.outcome === 'retry') return { done: false }
      const status = effectStatus(before, known)
      if (status !== 'unknown') {
        throw effectConflict(`the effect is ${status}, not unknown`, { status })
      }
      const own =
        decided.outcome === 'done'
          ? completion(effect, before, decided.result, known, by, random)
          : release(effect, before, known, by, random)
      return { commit: joinParts({ guards: [guardOf(known, holder)] }, own), answer: () => true }
    },
  }
}

/** @returns that nothing changes */
function demandSame(before: EffectRecord, result: string | null): false {
  if (spelled(before.result) === spelled(result)) return false
  throw effectConflict('another result is recorded', { status: 'done' })
}

/** In one way: the same may have come with other spaces. */
function spelled(text: string | null): string {
  return text === null ? '' : JSON.stringify(JSON.parse(text))
}

function completion(
  effect: string,
  before: EffectRecord,
  result: string | null,
  known: Known,
  by: By,
  random: Random,
): Partial<CommitParts> {
  const list = FIELD.runEffects(before.run)
  const field = FIELD.effect(effect)
  const open = parseList(known.fields.get(list) ?? null)
  const left = open.filter((id) => id !== effect)
  return {
    guards: [guardOf(known, field), guardOf(known, list)],
    events: [rawEventOf('effect.done', withRaw({ effect }, { result }), by, random)],
    writes: [
      {
        field,
        value: JSON.stringify({ ...before, status: 'done', result } satisfies EffectRecord),
      },
      ...(left.length < open.length ? [{ field: list, value: listText(left) }] : []),
    ],
  }
}

function release(
  effect: string,
  before: EffectRecord,
  known: Known,
  by: By,
  random: Random,
): Partial<CommitParts> {
  const field = FIELD.effect(effect)
  const after: EffectRecord = { ...before, status: 'retry', request: null }
  return {
    guards: [guardOf(known, field)],
    events: [eventOf('effect.retried', { effect, run: before.run }, by, random)],
    writes: [{ field, value: JSON.stringify(after) }],
  }
}
