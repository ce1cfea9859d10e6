import { HeldlineError } from '../../protocol/errors.ts'
import { isOver } from '../../protocol/fold/fold-run.ts'
import type { Known } from '../commit.ts'
import { FIELD } from '../record.ts'
import { parseRunText } from './run-record.ts'

/** An effect as the record keeps it. */
export interface EffectRecord {
  readonly run: string
  /** The epoch of the run that reserved it. */
  readonly epoch: number
  readonly tool: string | null
  /** How often it was reserved. */
  readonly attempt: number
  /** `retry`: somebody has decided that it may be tried again, and nobody has reserved it since. */
  readonly status: 'reserved' | 'done' | 'retry'
  /** The Idempotency-Key of the request that reserved it: the same request again gets the same answer. */
  readonly request: string | null
  /** JSON text as it came; `null`: there is none. */
  readonly result: string | null
}

/** `unknown`: whoever reserved it holds the run no more, and nobody can tell whether it happened. */
export type EffectStatus = EffectRecord['status'] | 'unknown'

export function parseEffect(text: string | null): EffectRecord | null {
  // The record holds only what these transitions write.
  return text === null ? null : (JSON.parse(text) as EffectRecord)
}

/**
 * What an effect is. That nobody can tell is not written anywhere: it follows from the run, in whose commit it was told. [P-13.3]
 * The field of its run must be known.
 */
export function effectStatus(effect: EffectRecord, known: Pick<Known, 'fields'>): EffectStatus {
  if (effect.status !== 'reserved') return effect.status
  const text = known.fields.get(FIELD.run(effect.run)) ?? null
  if (text === null) return 'unknown'
  const { epoch, status } = parseRunText(text)
  return epoch === effect.epoch && !isOver(status) ? 'reserved' : 'unknown'
}

export function effectConflict(
  why: string,
  facts: Readonly<Record<string, unknown>>,
): HeldlineError {
  return new HeldlineError('effect_conflict', `unable to go on; ${why}`, { facts })
}

export function effectNotFound(): HeldlineError {
  return new HeldlineError('effect_not_found', 'there is no such effect')
}
