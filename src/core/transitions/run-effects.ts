import type { Known } from '../commit.ts'
import type { Random } from '../random.ts'
import { FIELD } from '../record.ts'
import { guardOf, parseList, type CommitParts } from './commit-parts.ts'
import { eventOf } from './session.ts'

/**
 * What a run has reserved and not recorded, once the process that did so is gone: nobody can tell whether it happened. Told here, with
 * the end of its hold on the run; each effect's own field stays, since what it is follows from the run. See effectStatus. [P-13.3]
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
