import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ACTS, type Act } from './convergence/acts.ts'
import { CLIENTS, live, PRODUCERS, type Step } from './convergence/life.ts'

const LIVES = Number(process.env['CONVERGENCE_LIVES'] ?? 400)

const about = {
  producer: fc.nat({ max: PRODUCERS - 1 }),
  run: fc.constantFrom('r', 's', 't'),
  name: fc.constantFrom('a', 'b'),
  number: fc.constantFrom(1, 1, 1, 2, 3),
}
const names = Object.keys(ACTS) as Act[]
const act = fc.record({ ...about, act: fc.constantFrom(...names) }).map((one) => [step(one)])

/** What an agent does from the start of a run to its end, without some of it. */
const WORK = [
  ...([
    'queue',
    'start',
    'deliver',
    'begin to answer',
    'answer',
    'end an answer',
    'report',
  ] as const),
  ...(['reserve', 'record an effect', 'ask', 'answer a question', 'suspend', 'resume'] as const),
  ...(['take control', 'release control', 'finish'] as const),
]
const work = fc
  .record({ ...about, acts: fc.subarray([...WORK], { minLength: 6 }), number: fc.constant(1) })
  .map(({ acts, ...one }) => acts.map((act) => step({ ...one, act })))

function step(one: Omit<Extract<Step, { do: 'act' }>, 'do'>): Step {
  return { do: 'act', ...one }
}

const harm: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('drop' as const),
      client: fc.nat({ max: CLIENTS - 1 }),
    }),
  },
  fc.record({ do: fc.constantFrom('crash' as const, 'restart' as const, 'partition' as const) }),
)
const wait: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('wait' as const),
  ms: fc.nat({ max: 4000 }),
})
const alone = (one: Step): Step[] => [one]
const steps = fc
  .array(
    fc.oneof(
      { weight: 10, arbitrary: act },
      { weight: 2, arbitrary: work },
      { weight: 4, arbitrary: harm.map(alone) },
      { weight: 2, arbitrary: wait.map(alone) },
    ),
    { minLength: 20, maxLength: 60, size: 'max' },
  )
  .map((some) => some.flat())

test(
  `(R11, S1-05, S3-13) five clients and three producers, whatever they do and whatever breaks: everybody sees the fold of the log, runs, inputs, questions, state, effects and control included [invariant 5]`,
  async () => {
    const allowed = new Set<Act>()
    const folded = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.constantFrom(null, 40),
        steps,
        async (seed, maxEvents, life) => {
          const { seen, truth, view, done } = await live(seed, maxEvents, life)
          for (const [who, picture] of seen) expect(picture, who).toBe(truth)
          for (const one of done) allowed.add(one)
          for (const [what, value] of Object.entries(view.rest())) {
            const there = Array.isArray(value) ? value.length > 0 : value !== null
            if (there) folded.set(what, (folded.get(what) ?? 0) + 1)
          }
        },
      ),
      { numRuns: LIVES },
    )
    // Lives that proved nothing must not look like ones that did.
    expect([...allowed].toSorted()).toEqual(Object.keys(ACTS).toSorted())
    for (const what of ['runs', 'inputs', 'questions', 'state', 'effects', 'controller']) {
      expect(folded.get(what) ?? 0, what).toBeGreaterThan(LIVES / 20)
    }
  },
  60_000 + 1000 * LIVES,
)
