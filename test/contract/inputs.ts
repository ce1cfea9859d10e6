import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/core/commit.ts'
import { Inputs } from '../../src/core/inputs.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { Questions } from '../../src/core/questions.ts'
import { Runs } from '../../src/core/runs.ts'
import { append } from '../../src/core/transitions/append.ts'
import { create } from '../../src/core/transitions/session.ts'
import { Views } from '../../src/core/views.ts'
import { AnswerSchemas } from '../../src/http/answer-schemas.ts'
import type { HeldlineError } from '../../src/protocol/errors.ts'
import type { WireEvent } from '../../src/protocol/event.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { begun, delta, done, wordOf } from '../core/run-kit.ts'
import { drafted, NO_LIMITS, refusal } from '../core/world.ts'
import { until } from '../support/until.ts'
import { newSession, readAll } from './store/kit.ts'
import type { OpenedStore } from './store.ts'

const AGENT = { subject: 'key:agent' }
const ADA = { subject: 'ada' }
const BEN = { subject: 'ben' }

type Opened = Pick<OpenedStore, 'store' | 'signals'>

/** The same data as two nodes have it: by one store in one process, or by two. */
export interface Two {
  readonly one: Opened
  readonly two: Opened
  close(): Promise<void>
}

/** A node on a store that others are on, too; without sockets. */
function nodeOn({ store, signals }: Opened) {
  const views = new Views(store, DEFAULT_LIMITS)
  const ports = {
    store,
    signals,
    views,
    clock: new SystemClock(),
    random: new SystemRandom(),
    limits: DEFAULT_LIMITS,
    keeper: { committed: () => undefined },
  }
  const questions = new Questions({ ...ports, schemas: new AnswerSchemas() })
  return { ...ports, runs: new Runs(ports), inputs: new Inputs(ports), questions }
}

type Node = ReturnType<typeof nodeOn>

/** What is promised of inputs and questions, as it holds over a store, with two nodes on it. */
export function describeInputs(name: string, open: () => Promise<Two>): void {
  describe(`inputs and questions over ${name}`, () => {
    let opened: Two
    let one: Node
    let two: Node
    let session: SessionId

    beforeAll(async () => {
      opened = await open()
      one = nodeOn(opened.one)
      two = nodeOn(opened.two)
    })

    beforeEach(async () => {
      session = newSession()
      const made = { session, metadata: {}, settings: NO_LIMITS, by: AGENT }
      await run(one.store, create(made, one.random, Date.now()))
    })

    afterAll(() => opened?.close())

    const log = async (): Promise<WireEvent[]> =>
      (await readAll(one.store, session)).map(({ text }) => JSON.parse(text) as WireEvent)
    const story = async (): Promise<string[]> => (await log()).slice(1).map(wordOf)
    const send = (
      node: Node,
      change: Partial<Parameters<Inputs['receive']>[0]> & { readonly says?: string } = {},
    ) => {
      const { says, ...rest } = change
      const rawParts = says === undefined ? null : JSON.stringify([{ type: 'text', text: says }])
      const words = { session, by: ADA, mode: 'queue', rawData: null, rawParts } as const
      return node.inputs.receive({ ...words, ...rest })
    }
    const start = (node: Node, name = 'r1', trigger?: string) =>
      node.runs.start({ session, by: AGENT, run: name, ...(trigger !== undefined && { trigger }) })
    const held = (name = 'r1', epoch = 1) => ({ session, by: AGENT, claim: { run: name, epoch } })
    const write = (node: Node, drafts: ReturnType<typeof drafted>[], name = 'r1') =>
      node.runs.append({ ...held(name), drafts })
    const ask = (node: Node, schema?: Record<string, unknown>) =>
      node.questions.ask({
        ...held(),
        question: 'q1',
        prompt: 'Which?',
        rawSchema: schema === undefined ? null : JSON.stringify(schema),
        rawData: null,
        ...(schema !== undefined && { schema }),
      })
    const answer = (node: Node, value: unknown, by = ADA) =>
      node.questions.answer({ session, by, question: 'q1', rawAnswer: JSON.stringify(value) })

    /** An agent that says one token after the other, until it is told that it may not. @returns the tokens that were taken, and why no more were */
    async function stream(node: Node, onToken: (tokens: number) => void) {
      await write(node, [begun('m1')])
      for (let taken = 0; ; taken++) {
        const code = await refusal(write(node, [delta('m1', `${taken} `)]))
        if (code !== null) return { taken, code }
        onToken(taken + 1)
      }
    }

    /** Lets an agent stream at one node until somebody at the other node does something about it. */
    async function meanwhile<T>(deed: () => Promise<T>) {
      let now: (() => void) | undefined
      const under = new Promise<void>((resolve) => (now = resolve))
      const streaming = stream(one, (tokens) => tokens === 5 && now?.())
      await under
      const did = await deed()
      return { did, ...(await streaming) }
    }

    /** What was taken is kept and marked, and nothing of the run comes after its one end. */
    async function expectCut(taken: number): Promise<void> {
      const own = (await log()).filter(({ by }) => by.run === 'r1')
      expect(
        own.filter(({ type }) => /^run\.(finished|failed|cancelled)$/.test(type)),
      ).toHaveLength(1)
      expect(own.at(-1)?.type).toBe('run.cancelled')
      const message = (await two.views.at(session)).messages.get('m1')
      const text = Array.from({ length: taken }, (_, index) => `${index} `).join('')
      expect(message).toMatchObject({ status: 'interrupted', parts: [{ type: 'text', text }] })
    }

    test('[R1] a cancel at another node ends the run that streams, once, and keeps what it said', async () => {
      await send(two, { input: 'i1' })
      await start(one, 'r1', 'i1')
      await one.inputs.deliver({ ...held(), input: 'i1' })
      const { did, taken, code } = await meanwhile(() =>
        two.inputs.cancel({ session, by: BEN, input: 'i1' }),
      )
      expect(did).toEqual({ cancelled: true, run: 'r1', status: 'cancelled' })
      expect(code).toBe('run_over')
      expect(await one.runs.heartbeat(held())).toMatchObject({ live: false, status: 'cancelled' })
      await expectCut(taken)
      const cancels = [one, two].map((node) => node.runs.cancel({ session, by: BEN, run: 'r1' }))
      for (const again of await Promise.all(cancels)) expect(again.cancelled).toBe(false)
      await expectCut(taken)
    })

    test('[R10] [S4-12] each kind of input is taken while an agent answers, and its sender hears what became of it', async () => {
      await start(one)
      await write(one, [begun('m1'), delta('m1')])
      expect(await send(two, { mode: 'queue', input: 'i1' })).toMatchObject({ outcome: 'queued' })
      expect(await send(two, { mode: 'steer', input: 'i2' })).toMatchObject({ outcome: 'queued' })
      await write(one, [delta('m1')])
      const stop = { mode: 'interrupt', run: 'r1' } as const
      expect(await send(two, { ...stop, input: 'i3' })).toMatchObject({ outcome: 'delivered' })
      expect(await send(two, { ...stop, input: 'i4' })).toMatchObject({ outcome: 'too_late' })
      const waiting = await one.inputs.waiting(session, { waitMs: 0 })
      expect(waiting.map(({ id, mode }) => [id, mode])).toEqual([
        ['i1', 'queue'],
        ['i2', 'steer'],
        ['i3', 'interrupt'],
      ])
    })

    test('[S1-04] [S3-05] an interrupt in the middle of a token keeps what was said, marks it, and no late token follows; the next run begins at once', async () => {
      await start(one)
      const { did, taken, code } = await meanwhile(() =>
        send(two, { mode: 'interrupt', input: 'i1', says: 'stop' }),
      )
      expect(did).toMatchObject({ outcome: 'delivered', created: true })
      expect(code).toBe('run_over')
      await expectCut(taken)
      await start(one, 'r2', 'i1')
      await one.inputs.deliver({ ...held('r2'), input: 'i1' })
      await write(one, [begun('m2'), delta('m2', 'stopped'), done('m2')], 'r2')
      expect(await one.inputs.waiting(session, { waitMs: 0 })).toEqual([])
      const view = await two.views.at(session)
      expect(
        [...view.messages.values()].map(({ id, parent, status }) => [id, parent, status]),
      ).toEqual([
        ['m1', null, 'interrupted'],
        ['i1', 'm1', 'completed'],
        ['m2', 'i1', 'completed'],
      ])
    })

    test('[S2-08] a question on the side is answered within the run, and feedback stands beside its message', async () => {
      await start(one)
      await write(one, [begun('m1'), delta('m1', 'half')])
      await send(two, { mode: 'steer', run: 'r1', input: 'i1', says: 'how long?' })
      const [side] = await one.inputs.waiting(session, { waitMs: 0 })
      expect(side).toMatchObject({ id: 'i1', mode: 'steer', run: 'r1' })
      await one.inputs.deliver({ ...held(), input: 'i1', step: 'draft' })
      await write(one, [begun('m2'), delta('m2', 'a minute'), done('m2')])
      await write(one, [delta('m1', ' and half'), done('m1')])
      const feedback = drafted('x.feedback', { message: 'm1', good: true })
      await run(two.store, append({ session, by: ADA, drafts: [feedback] }, two.random))
      await one.runs.finish(held(), { status: 'finished' })
      const { messages, runs } = await two.views.at(session)
      expect(messages.get('m1')).toMatchObject({
        status: 'completed',
        parts: [{ text: 'half and half' }],
      })
      expect(messages.get('m2')).toMatchObject({ status: 'completed' })
      expect(runs.get('r1')).toMatchObject({ status: 'finished' })
      expect((await log()).find(({ type }) => type === 'x.feedback')).toMatchObject({
        by: ADA,
        data: { message: 'm1', good: true },
      })
    })

    test('[S2-09] a question outlives its node, and is answered once, from any device', async () => {
      await start(one)
      await ask(one, { enum: ['a', 'b'] })
      const asker = nodeOn(opened.two)
      const waits = asker.questions.wait(session, 'q1', { waitMs: 20_000 })
      expect(await refusal(answer(two, 'c'))).toBe('answer_invalid')
      const answers = await Promise.all([
        refusal(answer(one, 'a', ADA)),
        refusal(answer(two, 'b', BEN)),
      ])
      expect(answers.map(String).toSorted()).toEqual(['null', 'question_closed'])
      const [by, value] = answers[0] === null ? ['ada', 'a'] : ['ben', 'b']
      expect((await waits).closed).toEqual({ outcome: 'answered', by, answer: value })
      expect((await story()).slice(-2)).toEqual(['question.answered', 'run.resumed answered'])
      const { questions, runs } = await asker.views.at(session)
      expect(questions.get('q1')).toMatchObject({
        status: 'answered',
        answer: value,
        answeredBy: by,
      })
      expect(runs.get('r1')).toMatchObject({ status: 'thinking' })
    })

    test('[S3-07] what a person wrote is in the history after a reconnect, and a resend is the same', async () => {
      const first = await send(one, { input: 'i1', says: 'do it' })
      const resent = [one, two, two].map((node) => send(node, { input: 'i1', says: 'do it' }))
      for (const again of await Promise.all(resent)) {
        expect(again).toEqual({ ...first, created: false })
      }
      const { messages } = await two.views.at(session)
      expect([...messages.values()]).toMatchObject([
        { id: 'i1', role: 'user', by: 'ada', parts: [{ type: 'text', text: 'do it' }] },
      ])
      expect(await story()).toEqual(['message.completed', 'input.received'])
    })

    test('[P-16.5] [P-16.6] [R20] an edit and a regenerate fork at the parent, and whoever takes the input hears what it answers, also once more', async () => {
      await send(one, { input: 'i1', says: 'do it' })
      await send(two, { input: 'i2', says: 'do that', parent: null })
      await send(two, { input: 'i3', parent: 'i1' })
      await send(one, { input: 'i4', parent: null })
      await send(one, { input: 'i5' })
      const waiting = await one.inputs.waiting(session, { waitMs: 0 })
      expect(waiting.map(({ id, message, parent }) => [id, message, parent])).toEqual([
        ['i1', 'i1', undefined],
        ['i2', 'i2', null],
        ['i3', null, 'i1'],
        ['i4', null, null],
        ['i5', null, undefined],
      ])
      await start(one)
      for (const [input, answered] of [
        ['i1', { parent: 'i1' }],
        ['i2', { parent: 'i2' }],
        ['i3', { parent: 'i1' }],
        ['i4', { parent: null }],
        ['i5', {}],
      ] as const) {
        const deliver = (node: Node) => node.inputs.deliver({ ...held(), input })
        expect(await deliver(one)).toEqual({ taken: true, ...answered })
        expect(await deliver(two)).toEqual({ taken: false, ...answered })
      }
      const { messages } = await two.views.at(session)
      expect([...messages.values()].map(({ id, parent }) => [id, parent])).toEqual([
        ['i1', null],
        ['i2', null],
      ])
      const received = (await log()).filter(({ type }) => type === 'input.received')
      expect(received.map(({ data }) => (data as { parent?: string | null }).parent)).toEqual([
        undefined,
        null,
        'i1',
        null,
        undefined,
      ])
    })

    test('[P-16.6] what is no input is not taken, and a message says that it is what the run answers', async () => {
      await start(one)
      await write(one, [begun('m1'), done('m1')])
      const facts = async (input: string) => {
        const taken = one.inputs.deliver({ ...held(), input })
        return taken.catch((error: HeldlineError) => [error.code, error.facts])
      }
      expect(await facts('m1')).toEqual(['input_not_found', { parent: 'm1' }])
      expect(await facts('i9')).toEqual(['input_not_found', {}])
    })

    test('[P-11.1] [P-16.5] the same input with another parent is another one', async () => {
      await send(one, { input: 'i1', says: 'do it', parent: 'm1' })
      expect(await send(two, { input: 'i1', says: 'do it', parent: 'm1' })).toMatchObject({
        created: false,
      })
      for (const change of [{ parent: 'm2' }, { parent: null }, {}]) {
        const again = send(two, { input: 'i1', says: 'do it', ...change })
        expect(await refusal(again)).toBe('idempotency_conflict')
      }
      // That the parent is not there is not looked at, as with every message.
      expect((await two.views.at(session)).messages.get('i1')).toMatchObject({ parent: 'm1' })
    })

    test('[S3-07] of many who send it at once, one is taken', async () => {
      const sent = [one, two, one, two].map((node) => send(node, { input: 'i1', says: 'do it' }))
      const taken = await Promise.all(sent)
      expect(taken.filter(({ created }) => created)).toHaveLength(1)
      expect(new Set(taken.map(({ serials }) => serials.join())).size).toBe(1)
      expect(await story()).toEqual(['message.completed', 'input.received'])
    })

    test('[S4-11] an input reaches the agent at another node while it waits for one, and is taken by one run', async () => {
      await start(one, 'r1')
      await start(two, 'r2')
      const heard = one.inputs.waiting(session, { waitMs: 20_000 })
      await send(two, { mode: 'steer', input: 'i1' })
      expect((await heard).map(({ id }) => id)).toEqual(['i1'])
      const takes = await Promise.all([
        refusal(one.inputs.deliver({ ...held('r1'), input: 'i1' })),
        refusal(two.inputs.deliver({ ...held('r2'), input: 'i1' })),
      ])
      expect(takes.map(String).toSorted()).toEqual(['input_taken', 'null'])
      expect((await story()).filter((word) => word.startsWith('input.'))).toEqual([
        'input.received',
        'input.delivered',
      ])
    })

    test('[P-11.4] [P-11.5] what nobody takes or answers in time is over by the store’s clock, once, whichever nodes look', async () => {
      await start(one)
      await send(one, { input: 'i1', expiresInMs: 30 })
      await one.questions.ask({
        ...held(),
        question: 'q1',
        prompt: 'Which?',
        rawSchema: null,
        rawData: null,
        expiresInMs: 30,
      })
      await until('both are due', async () => {
        const due = (await one.store.due(1000)).filter((each) => each.session === session)
        if (due.length < 2) return false
        const looks = due.flatMap((each) => [one, two].map((node) => ({ each, node })))
        await Promise.all(
          looks.map(({ each, node }) =>
            each.deadline.startsWith('input:') ? node.inputs.due(each) : node.questions.due(each),
          ),
        )
        return true
      })
      const words = (await story()).slice(4)
      expect(words.toSorted()).toEqual([
        'input.expired expired',
        'question.answered',
        'run.resumed answered',
      ])
      const left = await one.store.due(1000)
      expect(left.filter((each) => each.session === session)).toEqual([])
    })
  })
}
