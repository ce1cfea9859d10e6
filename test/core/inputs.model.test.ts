import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FIELD } from '../../src/core/record.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { InputMode, InputReceived } from '../../src/protocol/input-events.ts'
import { FakeRandom } from '../support/fake-random.ts'
import type { SimNode } from '../support/sim-node.ts'
import { carryOut, expectedOnly, twoNodes } from './model/schedule.ts'
import { ADA, agentAt, begun, delta } from './run-kit.ts'
import { BY, SESSION, World } from './world.ts'

const RUNS = ['r1', 'r2'] as const
const INPUTS = ['i1', 'i2', 'i3', 'i4'] as const
const DEEDS = [
  'queue',
  'steer',
  'interrupt',
  'deliver',
  'deliver',
  'deliver',
  'deliver',
  'cancel',
  'start',
  'start',
  'write',
  'write',
  'finish',
  'ask',
  'ask',
  'answer',
  'answer',
  'answer',
  'pass',
] as const

/** What somebody does, at one of two nodes; `waits`: everything before has come to its end. */
interface Step {
  readonly what: (typeof DEEDS)[number]
  readonly input: (typeof INPUTS)[number]
  readonly run: (typeof RUNS)[number]
  /** Means that very run; else the one that the input triggers. */
  readonly names: boolean
  readonly node: number
  readonly waits: boolean
}

const steps = fc.array(
  fc.record<Step>({
    what: fc.constantFrom(...DEEDS),
    input: fc.constantFrom(...INPUTS),
    run: fc.constantFrom(...RUNS),
    names: fc.boolean(),
    node: fc.nat(1),
    waits: fc.boolean(),
  }),
  { minLength: 30, maxLength: 90, size: 'max' },
)

const REFUSALS = new Set([
  'run_not_found',
  'run_over',
  'run_exists',
  'input_not_found',
  'input_taken',
  'idempotency_conflict',
  'question_closed',
  'question_not_found',
  'message_exists',
  // Writing to a message that is not there, or over, is the schedule's.
  'message_closed',
  'message_not_found',
  'contention',
])

class Story {
  readonly world = new World()
  readonly #nodes: readonly SimNode[]
  /** Inputs whose cancel was acknowledged before any run of them was known. */
  readonly prevented = new Set<string>()

  constructor(seed: number) {
    this.#nodes = twoNodes(this.world, new FakeRandom(seed))
  }

  async tell(all: readonly Step[]): Promise<void> {
    await this.world.session()
    for (const run of RUNS) await agentAt(this.#nodes[0]!).start({ run, leaseMs: 600_000 })
    await carryOut(all, (step) => this.#do(step).catch(expectedOnly(REFUSALS)))
  }

  async #do({ what, input, run, names, node: index }: Step): Promise<unknown> {
    const node = this.#nodes[index]!
    const agent = agentAt(node)
    const own = names ? run : `${run}-${input}`
    const claim = { run: own, epoch: 1 }
    const word = { session: SESSION, by: BY }
    switch (what) {
      case 'queue':
      case 'steer':
      case 'interrupt':
        return this.#receive(node, what, input, names ? run : undefined)
      case 'deliver':
        return node.inputs.deliver({ ...word, input, claim })
      case 'cancel': {
        const done = await node.inputs.cancel({ session: SESSION, by: ADA, input })
        if (done.cancelled && done.run === undefined) this.prevented.add(input)
        return done
      }
      case 'start':
        return agent.start({ run: `${run}-${input}`, leaseMs: 600_000, trigger: input })
      case 'write':
        return agent.append([index === 0 ? begun(`m-${own}`) : delta(`m-${own}`)], 1, run)
      case 'finish':
        return agent.finish({}, 1, own)
      case 'ask':
        return node.questions.ask({
          ...word,
          question: `q-${own}`,
          claim,
          prompt: 'Which?',
          rawSchema: null,
          rawData: null,
          ...(run === 'r1' && { expiresInMs: 3000 }),
        })
      case 'answer':
        return node.questions.answer({
          ...word,
          by: { subject: `person-${index}` },
          question: `q-${own}`,
          rawAnswer: '1',
        })
      case 'pass':
        return this.world.clock.advance(2000)
    }
  }

  #receive(node: SimNode, mode: InputMode, input: string, run: string | undefined) {
    return node.inputs.receive({
      session: SESSION,
      by: ADA,
      input,
      mode,
      rawParts: '[]',
      rawData: null,
      expiresInMs: 60_000,
      ...(run !== undefined && { run }),
    })
  }
}

const named = (type: string, name: string, value: string) => (event: WireEvent) =>
  event.type.startsWith(type) && (event.data as Record<string, unknown>)[name] === value
const runsOf = (log: readonly WireEvent[]): readonly string[] =>
  log.flatMap(({ type, by }) => (type === 'run.started' ? [by.run ?? ''] : []))
const ENDS = new Set(['run.finished', 'run.cancelled'])

/** Received at most once, over at most once, and never before it came; its message beside it. */
function checkInput(log: readonly WireEvent[], input: string): 'none' | 'waits' | 'over' {
  const own = log.filter(named('input.', 'input', input))
  if (own.length === 0) return 'none'
  expect(own.map(({ type }) => type === 'input.received')).toEqual(
    own.length === 1 ? [true] : [true, false],
  )
  const [received] = own as [WireEvent]
  expect(log[received.serial - 2]).toMatchObject({
    type: 'message.completed',
    data: { message: input },
  })
  expect(log.filter(named('message.', 'message', input))).toHaveLength(1)
  return own.length === 1 ? 'waits' : 'over'
}

/** An interrupt leaves nothing running of what it meant, and nothing of a run follows its end. */
function checkRuns(log: readonly WireEvent[]): void {
  const runs = runsOf(log)
  for (const run of runs) {
    const own = log.filter(({ by }) => by.run === run)
    expect(own.filter(({ type }) => ENDS.has(type)).length).toBeLessThanOrEqual(1)
    const end = own.findIndex(({ type }) => ENDS.has(type))
    if (end >= 0) expect(own.slice(end + 1)).toEqual([])
  }
  for (const event of log) {
    const { mode, run, input } = event.data as InputReceived
    if (event.type !== 'input.received' || mode !== 'interrupt') continue
    const before = log.slice(0, event.serial)
    const meant = run === undefined ? runs : [run]
    for (const one of meant) {
      if (!before.some(named('run.started', 'run', one))) continue
      expect(before.some((other) => ENDS.has(other.type) && other.by.run === one)).toBe(true)
    }
    for (const stopped of log.filter(named('run.cancelled', 'input', input))) {
      expect(stopped.serial).toBeLessThan(event.serial)
    }
  }
}

test('any schedule at two nodes: each input is received once and over once, an interrupt leaves nothing running and nothing follows it, a question is closed once [R10] [S1-04] [S3-05] [S2-09] [P-11.2] [P-11.3] [P-11.4] [P-11.5]', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (all, seed) => {
      const story = new Story(seed)
      const { world } = story
      await story.tell(all)
      const log = await world.log()
      const states = INPUTS.map((input) => [input, checkInput(log, input)] as const)
      checkRuns(log)
      for (const input of story.prevented) {
        expect(log.filter(named('run.started', 'trigger', input))).toEqual([])
      }
      const waiting = states.filter(([, state]) => state === 'waits').map(([input]) => input)
      const listed = JSON.parse((await world.field(FIELD.inputs)) ?? '[]') as string[]
      const view = await world.nodes[0]!.views.at(SESSION)
      expect([...view.inputs.keys()]).toEqual(listed)
      expect(listed.toSorted()).toEqual(waiting)

      await world.clock.advance(120_000)
      const after = await world.log()
      for (const [input, state] of states) {
        expect(checkInput(after, input)).toBe(state === 'none' ? 'none' : 'over')
      }
      const closed = after.filter(({ type }) => type === 'question.answered')
      const ids = closed.map(({ data }) => (data as { question: string }).question)
      expect(new Set(ids).size).toBe(ids.length)
      for (const run of runsOf(after)) {
        const asks = await world.field(FIELD.runQuestions(run))
        const status = (await world.field(FIELD.run(run)))?.split(' ')[1]
        expect(status === 'waiting').toBe(asks !== null)
      }
      for (const node of world.nodes) {
        expect(node.log.lines).toEqual([])
        node.close()
      }
    }),
    { numRuns: 150 },
  )
}, 60_000)
