import { DEFAULT_LIMITS, type Limits } from '../../src/core/limits.ts'
import { Effects, type Intention } from '../../src/core/effects.ts'
import { Runs } from '../../src/core/runs.ts'
import type { Store } from '../../src/core/store.ts'
import type { Decided } from '../../src/core/transitions/effect-end.ts'
import { Views } from '../../src/core/views.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { sha256, SystemClock, SystemRandom } from '../../src/system-ports.ts'

const by = { subject: 'agent' }

/** A node's runs and effects over a store, as the agents of one session use them. */
export function effectsAt(store: Store, session: SessionId, limits: Partial<Limits> = {}) {
  const ports = {
    store,
    random: new SystemRandom(),
    clock: new SystemClock(),
    limits: { ...DEFAULT_LIMITS, ...limits },
    views: new Views(store, DEFAULT_LIMITS),
    keeper: { committed: () => undefined },
    hash: sha256,
  }
  const runs = new Runs(ports)
  const effects = new Effects(ports)
  return {
    runs,
    effects,
    start: (run = 'r1') => runs.start({ session, run, by }),
    adopt: (run = 'r1') => runs.adopt({ session, run, by }),
    finish: (epoch = 1, run = 'r1') =>
      runs.finish({ session, by, claim: { run, epoch } }, { status: 'finished' }),
    cancel: (run = 'r1') => runs.cancel({ session, run, by: { subject: 'ada' } }),
    reserve: (more: Partial<Intention> = {}, epoch = 1, run = 'r1') =>
      effects.reserve({ session, by, key: 'pay', claim: { run, epoch }, ...more }),
    record: (result: string | null = null, epoch = 1, run = 'r1', effect = 'pay') =>
      effects.record({ session, effect, claim: { run, epoch }, result, by }),
    decide: (decided: Decided, effect = 'pay') =>
      effects.decide({ session, effect, by: { subject: 'boss' } }, decided),
    get: (effect = 'pay') => effects.get(session, effect),
    view: () => ports.views.at(session),
    /** The types of the log's events about effects, in order. */
    told: async (): Promise<string[]> => {
      const page = await store.read(session, { after: 0, limit: 1000, maxBytes: 1 << 20 })
      const types = (page?.events ?? []).map(
        ({ text }) => (JSON.parse(text) as { type: string }).type,
      )
      return types.filter((type) => type.startsWith('effect.'))
    },
  }
}
