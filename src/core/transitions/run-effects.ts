import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import { guardOf, parseList, type CommitParts } from './commit-parts.ts'
import { eventOf } from './session.ts'

/** An effect as the record keeps it. */
export interface EffectRecord {
  readonly run: string
  /** The epoch of the run that reserved it. */
  readonly epoch: number
  readonly tool: string | null
  readonly attempt: number
  readonly status: 'reserved' | 'done' | 'unknown'
  readonly result?: unknown
}

/**
 * What a run has reserved and not recorded, once the process that did so is gone: nobody can tell whether it happened. Each effect's
 * own field is read when somebody asks for it; that it is not `reserved` by an epoch that lives is known from the run. [P-13.3]
 */
export function unknownEffects(known: Known, run: string, random: Random): Partial<CommitParts> {
  const field = FIELD.runEffects(run)
  const effects = parseList(known.fields.get(field) ?? null)
  if (effects.length === 0) return { guards: [guardOf(known, field)] }
  return {
    guards: [guardOf(known, field)],
    events: effects.map((effect) =>
      eventOf('effect.unknown', { effect, run }, { subject: 'server', run }, random),
    ),
    writes: [{ field, value: null }],
  }
}
