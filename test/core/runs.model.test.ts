import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FIELD } from '../../src/core/record.ts'
import { parseRunText } from '../../src/core/transitions/run-record.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import { isOver } from '../../src/protocol/fold/fold-run.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { carryOut, expectedOnly, twoNodes } from './model/schedule.ts'
import { agentAt, begun, delta, done } from './run-kit.ts'
import { drafted, SESSION, World } from './world.ts'

const RUNS = ['r1', 'r2'] as const
const ENDS = new Set(['run.finished', 'run.failed', 'run.cancelled'])

/** What somebody does, at one of two nodes; `waits`: everything before has come to its end. */
interface Step {
  readonly what: (typeof DEEDS)[number]
  readonly run: (typeof RUNS)[number]
  readonly node: number
  /** Of the epochs that the run has had, counted from the newest. */
  readonly behind: number
  readonly waits: boolean
}

const DEEDS = [
  'start',
  'write',
  'write',
  'write',
  'begin',
  'note',
  'beat',
  'report',
  'suspend',
  'resume',
  'adopt',
  'finish',
  'fail',
  'cancel',
  'pass',
  'silence',
] as const

const steps = fc.array(
  fc.record<Step>({
    what: fc.constantFrom(...DEEDS),
    run: fc.constantFrom(...RUNS),
    node: fc.nat(1),
    behind: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2) }),
    waits: fc.boolean(),
  }),
  { minLength: 5, maxLength: 50 },
)

class Story {
  readonly world = new World()
  readonly #agents
  /** The newest epoch of each run that anybody was given. */
  readonly #epochs = new Map<string, number>()
  readonly #opened = new Map<string, string>()
  /** The notes that were acknowledged, with their serials, and those that were refused. */
  readonly taken = new Map<string, number>()
  readonly refused = new Set<string>()
  #notes = 0

  constructor(seed: number) {
    this.#agents = twoNodes(this.world, new FakeRandom(seed)).map(agentAt)
  }

  async tell(all: readonly Step[]): Promise<void> {
    await this.world.session()
    await carryOut(all, (step) => this.#do(step).catch(expectedOnly(REFUSALS)))
  }

  async #do({ what, run, node, behind }: Step): Promise<unknown> {
    const agent = this.#agents[node]!
    const epoch = Math.max(1, (this.#epochs.get(run) ?? 1) - behind)
    switch (what) {
      case 'start':
        return this.#hold(
          run,
          await agent.start({ run, trigger: `t-${run}`, producer: `p${node}` }),
        )
      case 'adopt':
        return this.#hold(run, await agent.adopt(`p${node}`, run))
      case 'write':
        return this.#write(agent, run, epoch)
      case 'begin':
        return this.#note(agent, run, epoch, [begun(this.#name())])
      case 'note':
        return this.#note(agent, run, epoch, [])
      case 'beat':
        return agent.beat(epoch, run)
      case 'report':
        return agent.report(behind === 0 ? { step: 's' } : { status: 'stalled' }, epoch, run)
      case 'suspend':
        return agent.suspend(epoch, run)
      case 'resume':
        return agent.resume(epoch, run)
      case 'finish':
        return agent.finish({}, epoch, run)
      case 'fail':
        return agent.fail('x', epoch, run)
      case 'cancel':
        return agent.cancel(undefined, run)
      case 'pass':
        return this.world.clock.advance(4000)
      case 'silence':
        return this.world.clock.advance(17_000)
    }
  }

  #hold(run: string, { epoch }: { readonly epoch: number | null }): void {
    if (epoch !== null) this.#epochs.set(run, Math.max(epoch, this.#epochs.get(run) ?? 0))
  }

  /** Begins a message, goes on with it, or ends it. */
  #write(agent: ReturnType<typeof agentAt>, run: string, epoch: number): Promise<void> {
    const message = this.#opened.get(run)
    if (message === undefined) {
      const name = this.#name()
      this.#opened.set(run, name)
      return this.#note(agent, run, epoch, [begun(name)])
    }
    if (this.#notes % 4 !== 0) return this.#note(agent, run, epoch, [delta(message)])
    this.#opened.delete(run)
    return this.#note(agent, run, epoch, [done(message)])
  }

  /** Appends, with a note that says by which epoch. */
  async #note(
    agent: ReturnType<typeof agentAt>,
    run: string,
    epoch: number,
    drafts: ReturnType<typeof drafted>[],
  ): Promise<void> {
    const id = this.#name()
    try {
      const { serials } = await agent.append(
        [...drafts, drafted('x.note', { run, epoch }, id)],
        epoch,
        run,
      )
      this.taken.set(id, serials.at(-1) ?? 0)
    } catch (error) {
      this.refused.add(id)
      throw error
    }
  }

  #name(): string {
    return `n${this.#notes++}`
  }
}

const REFUSALS = new Set([
  'run_not_found',
  'run_fenced',
  'run_over',
  'run_exists',
  'invalid_request',
  'message_exists',
  'message_closed',
  'message_not_found',
  'contention',
])

/** What the log must never tell of a run. */
function check(log: readonly WireEvent[], run: string): void {
  const own = log.filter(({ by }) => by.run === run)
  const ends = own.filter(({ type }) => ENDS.has(type))
  expect(ends.length).toBeLessThanOrEqual(1)
  if (ends.length === 1) expect(own.at(-1)).toBe(ends[0])
  expect(own.filter(({ type }) => type === 'run.started').length).toBeLessThanOrEqual(1)
  let epoch = 1
  let lost = false
  for (const { type, data } of own) {
    if (type === 'run.resumed') {
      const resumed = data as { epoch: number; reason: string }
      expect(resumed.epoch).toBe(resumed.reason === 'adopted' ? epoch + 1 : epoch)
      epoch = resumed.epoch
      lost = false
    }
    if (type === 'x.note') expect(data).toEqual({ run, epoch })
    if (lost) expect(['message.completed', 'run.cancelled']).toContain(type)
    if (type === 'run.lost') lost = true
  }
}

test('any schedule at two nodes: one last event, no word of a lower epoch after an adoption, nothing after the end, what was acknowledged is there [R6] [S0-11] [P-10.2] [P-10.7] [P-10.8]', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (all, seed) => {
      const story = new Story(seed)
      const { world } = story
      await story.tell(all)
      const log = await world.log()
      for (const run of RUNS) check(log, run)

      for (const [id, serial] of story.taken) expect(log[serial - 1]?.id).toBe(id)
      for (const { id } of log) expect(story.refused).not.toContain(id)

      const view = await world.nodes[0]!.views.at(SESSION)
      const live: string[] = []
      for (const run of RUNS) {
        const text = await world.field(FIELD.run(run))
        if (text === null) continue
        const { epoch, status } = parseRunText(text)
        expect(view.runs.get(run)).toMatchObject({ epoch, status })
        if (!isOver(status)) live.push(run)
        const open = [...view.messages.values()].filter(
          (one) => one.status === 'open' && one.run === run,
        )
        if (isOver(status) && status !== 'lost') expect(open).toEqual([])
      }
      const listed: unknown = JSON.parse((await world.field(FIELD.live)) ?? '[]')
      expect((listed as string[]).toSorted()).toEqual(live)

      await world.clock.advance(120_000)
      for (const run of RUNS) {
        const text = await world.field(FIELD.run(run))
        const status = text === null ? 'lost' : parseRunText(text).status
        expect(status === 'waiting' || isOver(status)).toBe(true)
      }
      expect(await world.store.due(10)).toEqual([])
      for (const run of RUNS) check(await world.log(), run)
      for (const node of world.nodes) {
        expect(node.log.lines).toEqual([])
        node.close()
      }
    }),
    { numRuns: 120 },
  )
}, 60_000)
