import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Keeper } from '../../src/core/keeper.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { Runs } from '../../src/core/runs.ts'
import { Sessions } from '../../src/core/sessions.ts'
import { Views } from '../../src/core/views.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { begun, delta, done, wordOf } from '../core/run-kit.ts'
import { drafted, NO_LIMITS, refusal } from '../core/world.ts'
import { pause, until } from '../support/until.ts'
import { newSession } from './store/kit.ts'
import type { OpenedStore, OpenStore } from './store.ts'

const AGENT = { subject: 'key:agent' }
const ADA = { subject: 'ada' }
/** Short enough to wait for. */
const LEASE_MS = 400

/** A node on a store that others are on, too; without sockets. */
function nodeOn({ store, signals }: OpenedStore) {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const shared = { store, signals, log, clock: new SystemClock(), random: new SystemRandom() }
  const ports = { ...shared, limits: DEFAULT_LIMITS }
  const views = new Views(store, DEFAULT_LIMITS)
  const keeper = new Keeper({ ...ports, views })
  const deliveries = { readUpTo: () => Promise.resolve() }
  const sessions = new Sessions({ ...ports, keeper, deliveries })
  return { runs: new Runs({ ...ports, views, keeper }), sessions, views, keeper }
}

type Node = ReturnType<typeof nodeOn>

/** What is promised of runs, as it holds over a store, with two nodes on it. */
export function describeRuns(name: string, open: OpenStore): void {
  describe(`runs over ${name}`, () => {
    let opened: OpenedStore
    let one: Node
    let two: Node
    let session: SessionId

    beforeAll(async () => {
      opened = await open()
      one = nodeOn(opened)
      two = nodeOn(opened)
    })

    beforeEach(async () => {
      session = newSession()
      await one.sessions.open({ session, metadata: {}, settings: NO_LIMITS, by: AGENT })
    })

    afterAll(async () => {
      one?.keeper.close()
      two?.keeper.close()
      await opened?.close()
    })

    const start = (node: Node, change: object = {}) =>
      node.runs.start({ session, by: AGENT, run: 'r1', ...change })
    const held = (run = 'r1', epoch = 1) => ({ session, by: AGENT, claim: { run, epoch } })
    const append = (node: Node, drafts: ReturnType<typeof drafted>[], run = 'r1', epoch = 1) =>
      node.runs.append({ ...held(run, epoch), drafts })
    const finish = (node: Node, run = 'r1', epoch = 1) =>
      node.runs.finish(held(run, epoch), { status: 'finished', rawOutput: '{"answer":42}' })
    const cancel = (node: Node, run = 'r1') => node.runs.cancel({ session, by: ADA, run })
    /** As someone who comes now, with nothing but the store. */
    const look = () => nodeOn(opened).views.at(session)
    /** What every node does every second. */
    const sweep = async (node: Node) => {
      const due = (await opened.store.due(100)).filter((one) => one.session === session)
      for (const deadline of due) await node.runs.leaseDue(deadline)
    }
    const log = async (): Promise<WireEvent[]> => {
      const page = await one.sessions.events(session, 0, { limit: 5000, waitMs: 0 })
      return page.events.map(({ text }) => JSON.parse(text) as WireEvent)
    }
    const story = async () => (await log()).slice(1).map(wordOf)
    const silence = (word: string) =>
      until(`the run is ${word}`, async () => {
        await Promise.all([sweep(one), sweep(two)])
        return (await story()).some((told) => told.endsWith(word))
      })

    test('twenty starts of one trigger at once are one run, and one run.started [R8] [S0-10]', async () => {
      const starts = Array.from({ length: 20 }, (_, i) =>
        start(i % 2 === 0 ? one : two, { run: `r${i}`, trigger: 'm1', producer: `p${i}` }),
      )
      const answers = await Promise.all(starts)
      const created = answers.filter((answer) => answer.created)
      expect(created).toHaveLength(1)
      expect(answers.filter(({ epoch }) => epoch !== null)).toEqual(created)
      expect(new Set(answers.map(({ run }) => run)).size).toBe(1)
      expect(await story()).toEqual(['run.started'])
      // Those who come back later find the same one.
      for (const node of [one, two]) {
        expect(await start(node, { run: 'more', trigger: 'm1' })).toMatchObject({
          run: created[0]?.run,
          created: false,
        })
      }
    })

    test('a cancel from another node in the middle of the stream: one last event, nothing after it, the text kept [R1]', async () => {
      await start(one)
      await append(one, [begun('a')])
      const taken: string[] = []
      const stream = async (): Promise<unknown> => {
        for (let i = 0; ; i++) {
          try {
            await append(one, [delta('a', `${i} `)])
            taken.push(`${i} `)
            // A store in memory answers at once: others must have their turn.
            await pause(0)
          } catch (error) {
            return error
          }
        }
      }
      const streaming = stream()
      await until('it streams', () => taken.length > 5)
      expect(await cancel(two)).toEqual({ cancelled: true, status: 'cancelled' })
      expect(await streaming).toMatchObject({ code: 'run_over' })
      expect((await one.runs.heartbeat(held())).live).toBe(false)
      const told = await story()
      expect(told.slice(-2)).toEqual(['message.completed interrupted', 'run.cancelled'])
      expect(told.filter((word) => /^run\.(finished|failed|cancelled)/.test(word))).toHaveLength(1)
      expect((await look()).messages.get('a')).toMatchObject({
        status: 'interrupted',
        parts: [{ type: 'text', text: taken.join('') }],
      })
    })

    test('with nobody there it runs, writes a thousand events and finishes, and who comes later has all of it [R4] [S0-03] [S0-12] [S2-07] [S4-16]', async () => {
      await start(one)
      await append(one, [begun('a')])
      for (let i = 0; i < 10; i++) {
        await append(
          one,
          Array.from({ length: 100 }, (_, j) => delta('a', `${100 * i + j} `)),
        )
      }
      await finish(one)
      const view = await look()
      const text = Array.from({ length: 1000 }, (_, i) => `${i} `).join('')
      expect(view.messages.get('a')).toMatchObject({ status: 'completed', parts: [{ text }] })
      expect(view.runs.get('r1')).toMatchObject({ status: 'finished', output: { answer: 42 } })
      expect((await log()).filter(({ type }) => type === 'message.delta')).toHaveLength(1000)
    })

    test('silence is told, stalled and then lost, each once, whichever nodes look [R5] [S4-14]', async () => {
      await start(one, { leaseMs: LEASE_MS })
      await silence('stalled')
      await silence('lost')
      for (let i = 0; i < 3; i++) await Promise.all([sweep(one), sweep(two)])
      const events = await log()
      expect(events.slice(1).map(wordOf)).toEqual(['run.started', 'run.status stalled', 'run.lost'])
      const [began, stalled, lost] = events.slice(1).map(({ at }) => at)
      expect((stalled ?? 0) - (began ?? 0)).toBeGreaterThanOrEqual(0.6 * LEASE_MS)
      expect((lost ?? 0) - (began ?? 0)).toBeGreaterThanOrEqual(LEASE_MS)
      expect(events.at(-1)?.data).toEqual({ run: 'r1', epoch: 1 })
    })

    test('a socket that stood for its agent takes the rest of the lease along, an older one nothing [P-10.12] [R5]', async () => {
      const beat = (node: Node, run: string, socket: string) =>
        node.runs.heartbeat({ ...held(run), socket })
      const lose = (node: Node, run: string, socket: string) =>
        node.runs.socketLost({ session, claim: { run, epoch: 1 }, socket })
      for (const run of ['r1', 'r2']) await start(one, { run, leaseMs: 120_000 })
      await beat(one, 'r1', 'c1')
      await beat(two, 'r1', 'c2')
      await lose(one, 'r1', 'c1')
      expect(await story()).toEqual(['run.started', 'run.started'])
      await Promise.all([lose(two, 'r1', 'c2'), lose(one, 'r1', 'c2')])
      // Stalled already, by its own word: nothing is told, and all the same less is left.
      await beat(one, 'r2', 'c3')
      await one.runs.report(held('r2'), { status: 'stalled' })
      await lose(two, 'r2', 'c3')
      await until('both are lost', async () => {
        await Promise.all([sweep(one), sweep(two)])
        return (await story()).filter((word) => word === 'run.lost').length === 2
      })
      const words = ['run.status stalled', 'run.status stalled', 'run.lost', 'run.lost']
      expect((await story()).slice(2)).toEqual(words)
    })

    test('after a loss the next run starts at once, and the old one is taken over: its zombie is refused on every node [R6] [S0-11] [S4-18]', async () => {
      await start(one, { leaseMs: LEASE_MS })
      await append(one, [begun('a'), delta('a', 'one ')])
      await silence('lost')
      expect(await start(two, { run: 'r2', trigger: 'm2' })).toMatchObject({ created: true })
      expect(await two.runs.adopt({ session, run: 'r1', by: AGENT, producer: 'p2' })).toMatchObject(
        { epoch: 2 },
      )
      for (const node of [one, two]) {
        const words = [
          append(node, [delta('a', 'zombie')]),
          append(node, [done('a')]),
          node.runs.heartbeat(held()),
          node.runs.report(held(), { step: 'zombie' }),
          node.runs.suspend(held()),
          node.runs.resume(held()),
          finish(node),
        ]
        const refusals = await Promise.all(words.map(refusal))
        expect(refusals).toEqual(words.map(() => 'run_fenced'))
      }
      await append(two, [delta('a', 'two')], 'r1', 2)
      await finish(two, 'r1', 2)
      const view = await look()
      expect(view.messages.get('a')).toMatchObject({
        status: 'completed',
        parts: [{ text: 'one two' }],
      })
      expect(view.runs.get('r2')?.status).toBe('thinking')
    })

    test('of an agent that died, step, checkpoint, tool calls and half an answer are there by the session’s id [S0-20] [S4-18]', async () => {
      await start(one, { leaseMs: LEASE_MS })
      await append(one, [begun('a'), delta('a', 'half an ans')])
      const part = { type: 'tool', id: 't1', name: 'grep' }
      await append(one, [drafted('message.delta', { message: 'a', add: part })])
      await one.runs.report(held(), { step: 'searching', rawCheckpoint: '{"at":3}' })
      await silence('lost')
      const late = nodeOn(opened)
      expect(await late.runs.get(session, 'r1')).toMatchObject({
        status: 'lost',
        step: 'searching',
        checkpoint: { at: 3 },
        messages: ['a'],
      })
      expect((await late.views.at(session)).messages.get('a')).toMatchObject({
        status: 'open',
        parts: [{ text: 'half an ans' }, part],
      })
    })

    test('eight writers at once, in runs and beside them: serials without a hole, each acknowledged event at its own [R16] [S1-14]', async () => {
      const runs = ['r1', 'r2', 'r3', 'r4', 'r5', 'r6']
      for (const run of runs) await start(one, { run })
      const serials = new Map<string, number | null>()
      const write = async (writer: string, node: Node, run: string | null): Promise<void> => {
        for (let i = 0; i < 25; i++) {
          const id = `${writer}-${i}`
          const drafts = [drafted('x.token', { i }, id)]
          const done =
            run === null
              ? await node.sessions.append({ session, by: AGENT, drafts })
              : await append(node, drafts, run)
          serials.set(id, done.serials[0] ?? null)
        }
      }
      await Promise.all([
        ...runs.map((run, i) => write(run, i % 2 === 0 ? one : two, run)),
        write('w7', one, null),
        write('w8', two, null),
      ])
      const events = await log()
      expect(events.map(({ serial }) => serial)).toEqual(events.map((_, i) => i + 1))
      expect(serials.size).toBe(200)
      for (const [id, serial] of serials) expect(events[(serial ?? 0) - 1]?.id).toBe(id)
    })

    test('a finish, a failure, two cancels and the end of the lease at once are one end [P-10.7] [P-10.8]', async () => {
      for (let round = 0; round < 10; round++) {
        const run = `e${round}`
        await start(one, { run, leaseMs: 1 })
        await append(one, [begun(`a${round}`)], run)
        const error = { message: 'no' }
        await Promise.allSettled([
          finish(one, run),
          cancel(two, run),
          sweep(two),
          two.runs.finish(held(run), { status: 'failed', error }),
          sweep(one),
          cancel(one, run),
        ])
        const own = (await log()).filter(({ by }) => by.run === run).map(({ type }) => type)
        expect(own.at(-1)).toMatch(/^run\.(finished|failed|cancelled)$/)
        expect(own.filter((type) => /^run\.(finished|failed|cancelled)$/.test(type))).toHaveLength(
          1,
        )
        expect(own.filter((type) => type === 'message.completed')).toHaveLength(1)
      }
    })
  })
}
