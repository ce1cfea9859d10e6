import { expect, test } from 'vitest'
import { Tally } from '../support/sim-faults.ts'
import { simulate } from './simulation/run.ts'

/**
 * The whole core on its ports alone, from a seed: three nodes, four clients, three producers, and everything that may go wrong. A failing
 * seed is named; `simulate(seed, options)` is that very life again.
 */
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 500)
const TIMEOUT_MS = 10_000 + 500 * SEEDS

async function explore(lossy: boolean) {
  const tally = new Tally()
  for (let seed = 0; seed < SEEDS; seed++) {
    // Presence needs two more minutes to come to rest: every fourth life waits for it.
    const outcome = await simulate(seed, { lossy, presence: seed % 4 === 0 })
    tally.addAll(outcome.tally)
    if (outcome.violations.length > 0) return { tally, seed, violations: outcome.violations }
  }
  return { tally, seed: null, violations: [] }
}

/** A run that proved nothing must not look like one that did. */
function expectSeen(tally: Tally, what: readonly string[], atLeast = SEEDS / 10): void {
  for (const one of what) expect(tally.of(one), one).toBeGreaterThanOrEqual(atLeast)
}

const FAULTS =
  'crash,restart,partition,slow client,signals restored,wake-up lost,wake-up doubled,wake-up without events,' +
  'read failed,write failed,unknown with effect,unknown without effect'

test(
  'on a store that keeps its word, nothing acknowledged is lost, doubled or out of order, nobody is reset but for retention, and all come to one view [invariants 1, 2, 4, 5, 7]',
  async () => {
    const { tally, ...found } = await explore(false)
    expect(found).toEqual({ seed: null, violations: [] })
    expectSeen(tally, [...FAULTS.split(','), 'reset: trimmed'])
    expectSeen(tally, ['acknowledged', 'taken'], 50 * SEEDS)
    expectSeen(tally, ['attaches'], 10 * SEEDS)
    expect(tally.of('lost')).toBe(0)
  },
  TIMEOUT_MS,
)

test(
  'on a store that loses what it acknowledged, nobody goes on from what is lost without a reset, and all come to one view [invariants 2, 3, 5, 7]',
  async () => {
    const { tally, ...found } = await explore(true)
    expect(found).toEqual({ seed: null, violations: [] })
    expectSeen(tally, [...FAULTS.split(','), 'failover with loss', 'flush', 'eviction'])
    expectSeen(tally, ['reset: fork', 'reset: ahead', 'reset: epoch', 'lost'])
  },
  TIMEOUT_MS,
)

test('the same seed is the same life', async () => {
  const [first, second] = [
    await simulate(3, { lossy: true, presence: false }),
    await simulate(3, { lossy: true, presence: false }),
  ]
  expect(second.recorded).toEqual(first.recorded)
})
