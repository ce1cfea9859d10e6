import { expect, test } from 'vitest'
import { Tally } from '../support/sim-faults.ts'
import { MUTANTS } from './model/mutants.ts'
import { runModel, type ModelOptions } from './model/run.ts'

/**
 * The model of the line: random schedules over hubs, feeds and cursors of two nodes on one store. A failing seed is named, and
 * `runModel(seed, options)` is that very run again.
 */
const SCHEDULES = 4000
const TIMEOUT_MS = 120_000

async function explore(seeds: number, options: ModelOptions) {
  const tally = new Tally()
  for (let seed = 0; seed < seeds; seed++) {
    const outcome = await runModel(seed, options)
    tally.addAll(outcome.tally)
    if (outcome.violations.length > 0) return { tally, seed, violations: outcome.violations }
  }
  return { tally, seed: null, violations: [] }
}

test(
  'where nothing is lost, every reader has each serial once, in order, and is at the head within a bound that no healing explains [invariant 2]',
  async () => {
    const { tally, ...found } = await explore(SCHEDULES, { weather: 'calm' })
    expect(found).toEqual({ seed: null, violations: [] })
    const seen = ['attach', 'trim', 'reset: trimmed', 'wake-up doubled', 'wake-up without events']
    for (const what of seen) expect(tally.of(what), what).toBeGreaterThan(SCHEDULES / 10)
  },
  TIMEOUT_MS,
)

test(
  'whatever is lost, doubled, late, trimmed, rewritten or gone, no reader has a hole, a repeat or another content without a reset [invariants 2, 3] [P-4.3] [P-4.4]',
  async () => {
    const { tally, ...found } = await explore(SCHEDULES, { weather: 'rough' })
    expect(found).toEqual({ seed: null, violations: [] })
    const faults = ['wake-up lost', 'wake-up doubled', 'wake-up without events', 'read failed']
    const losses = ['failover with loss', 'failover', 'flush', 'eviction', 'removed and made again']
    const resets = ['reset: trimmed', 'reset: ahead', 'reset: epoch', 'reset: fork']
    for (const what of [...faults, ...losses, ...resets, 'trim', 'signals restored']) {
      expect(tally.of(what), what).toBeGreaterThan(SCHEDULES / 20)
    }
  },
  TIMEOUT_MS,
)

test('the same seed is the same run', async () => {
  const [first, second] = [
    await runModel(7, { weather: 'rough' }),
    await runModel(7, { weather: 'rough' }),
  ]
  expect(second.tally.toJSON()).toEqual(first.tally.toJSON())
})

test.for(MUTANTS)(
  'the model finds a planted bug: $name',
  { timeout: TIMEOUT_MS },
  async ({ plant, seeds }) => {
    const { seed } = await explore(seeds, await plant())
    expect(seed, `not found within ${seeds} seeds`).not.toBeNull()
  },
)
