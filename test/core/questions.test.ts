import { describe, expect, test } from 'vitest'
import type { Questions } from '../../src/core/questions.ts'
import { FIELD } from '../../src/core/record.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SimNode } from '../support/sim-node.ts'
import { ADA, open as openRuns } from './run-kit.ts'
import { BY, refusal, SESSION, World } from './world.ts'

const BEN = { subject: 'ben' }
type Words = Parameters<Questions['ask']>[0]

/** What agents and people do with questions at a node. */
function questionsAt({ questions }: SimNode) {
  return {
    put: (change: Partial<Words> = {}) =>
      questions.ask({
        session: SESSION,
        by: BY,
        question: 'q1',
        claim: { run: 'r1', epoch: 1 },
        prompt: 'Which one?',
        rawSchema: change.schema === undefined ? null : JSON.stringify(change.schema),
        rawData: null,
        ...change,
      }),
    answer: (answer: unknown, by = ADA, question = 'q1') =>
      questions.answer({ session: SESSION, by, question, rawAnswer: JSON.stringify(answer) }),
    withdraw: (epoch: number | null = null, question = 'q1') =>
      questions.withdraw({ session: SESSION, by: BY, question, epoch }),
    get: (question = 'q1') => questions.get(SESSION, question),
  }
}

async function open(world?: World) {
  const opened = await openRuns(world)
  return { ...opened, ...questionsAt(opened.node) }
}

async function refused(promise: Promise<unknown>): Promise<object | null> {
  try {
    await promise
    return null
  } catch (error) {
    if (error instanceof HeldlineError) return { code: error.code, ...error.facts }
    throw error
  }
}

describe('asking', () => {
  test('tells people what is asked, and that the run waits, without a lease [P-11.5] [P-10.4]', async () => {
    const { start, put, last, story, status, clock, node } = await open()
    await start()
    const schema = { type: 'string', enum: ['a', 'b'] }
    const asked = await put({ schema, rawData: '{"n":1.00}', expiresInMs: 3_600_000 })
    expect(asked).toEqual({ question: 'q1', status: 'open', created: true })
    expect(await last('question.asked')).toMatchObject({
      by: { subject: 'key:test', run: 'r1' },
      data: {
        question: 'q1',
        run: 'r1',
        prompt: 'Which one?',
        schema,
        expiresAt: clock.now() + 3_600_000,
      },
    })
    expect(await story()).toEqual(['run.started', 'question.asked', 'run.status waiting'])
    await clock.advance(3_000_000)
    expect(await status()).toBe('1 waiting')
    const view = await node.views.at(SESSION)
    expect(view.questions.get('q1')).toMatchObject({ status: 'open', schema, data: { n: 1 } })
    expect(view.runs.get('r1')).toMatchObject({ status: 'waiting' })
  })

  test('without a run asks just so', async () => {
    const { put, answer, story } = await open()
    await put({ claim: null })
    await answer('yes')
    expect(await story()).toEqual(['question.asked', 'question.answered'])
  })

  test('again by the same id changes nothing; another question by that id is refused [R8]', async () => {
    const { start, put, answer, finish, world } = await open()
    await start()
    await put()
    const before = await world.types()
    expect(await put()).toEqual({ question: 'q1', status: 'open', created: false })
    expect(await refusal(put({ prompt: 'Another?' }))).toBe('idempotency_conflict')
    expect(await world.types()).toEqual(before)
    await answer('a')
    await finish()
    expect(await put()).toEqual({ question: 'q1', status: 'answered', created: false })
  })

  test('from two nodes at once asks once', async () => {
    const world = new World()
    const { start, put } = await open(world)
    const there = questionsAt(world.node())
    await start()
    const asked = await Promise.all([put(), there.put(), put()])
    expect(asked.filter(({ created }) => created)).toHaveLength(1)
    expect((await world.types()).filter((type) => type === 'question.asked')).toHaveLength(1)
  })

  test('needs the epoch of a run that lives, and a session that is open', async () => {
    const { start, adopt, put, finish, node } = await open()
    expect(await refusal(put())).toBe('run_not_found')
    await start()
    await adopt()
    expect(await refusal(put())).toBe('run_fenced')
    await finish(undefined, 2)
    expect(await refusal(put({ claim: { run: 'r1', epoch: 2 } }))).toBe('run_over')
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await refusal(put({ claim: null }))).toBe('session_closed')
  })

  test('with a schema that cannot be understood is refused at once [P-11.5]', async () => {
    const { put, world } = await open()
    for (const schema of [{ type: 'wish' }, { requird: ['a'] }, { pattern: '(' }]) {
      expect(await refusal(put({ claim: null, schema }))).toBe('invalid_request')
    }
    expect(await world.types()).toEqual(['session.created'])
  })

  test('is bounded in size, and in how many are open; what is over counts no more', async () => {
    const world = new World({ maxQuestions: 3, maxQuestionsBytes: 500, maxEventBytes: 200 })
    const { start, put, answer, finish } = await open(world)
    expect(await refusal(put({ rawData: JSON.stringify('x'.repeat(200)) }))).toBe(
      'payload_too_large',
    )
    await start()
    for (const question of ['q1', 'q2']) await put({ question })
    await put({ question: 'q3', claim: null })
    const full = { code: 'session_limit', maxOpen: 3, maxBytes: 500 }
    expect(await refused(put({ question: 'q4', claim: null }))).toEqual(full)
    await answer('a', ADA, 'q3')
    await put({ question: 'q4', claim: null })
    expect(await refused(put({ question: 'q5', claim: null }))).toEqual(full)
    await finish()
    await put({ question: 'q5', claim: null })
    expect(await world.field(FIELD.questions)).toMatch(/^\[\{"id":"q4",[^{]*\{"id":"q5",[^{]*$/)
    const large = { claim: null, rawData: JSON.stringify('x'.repeat(190)) }
    await put({ ...large, question: 'q6' })
    await answer('a', ADA, 'q4')
    await answer('a', ADA, 'q5')
    await put({ ...large, question: 'q7' })
    expect(await refused(put({ ...large, question: 'q8' }))).toEqual(full)
    await answer('a', ADA, 'q6')
    await put({ ...large, question: 'q8' })
  })
})

describe('an answer', () => {
  test('is told, and the run goes on with its lease [P-11.5] [P-10.4]', async () => {
    const { start, put, answer, last, story, status, clock } = await open()
    await start()
    await put()
    await clock.advance(3_600_000)
    expect(await answer({ pick: 'a' })).toBe(true)
    expect(await last('question.answered')).toMatchObject({
      by: ADA,
      data: { question: 'q1', run: 'r1', outcome: 'answered', answer: { pick: 'a' } },
    })
    expect(await last('run.resumed')).toMatchObject({
      by: { subject: 'ada', run: 'r1' },
      data: { run: 'r1', epoch: 1, reason: 'answered' },
    })
    expect((await story()).slice(-2)).toEqual(['question.answered', 'run.resumed answered'])
    expect(await status()).toBe('1 thinking')
    await clock.advance(16_000)
    expect(await status()).toBe('1 stalled')
    await clock.advance(12_000)
    expect(await status()).toBe('1 lost')
  })

  test('is given once: the same again by the same subject changes nothing, any other is refused and hears who answered [P-11.5] [S2-09]', async () => {
    const { put, answer, node, world } = await open()
    await put({ claim: null })
    expect(await answer({ a: 1, b: 2 })).toBe(true)
    const before = await world.types()
    expect(await answer({ a: 1, b: 2 })).toBe(false)
    const spaced = { session: SESSION, by: ADA, question: 'q1', rawAnswer: '{ "a": 1, "b": 2 }' }
    expect(await node.questions.answer(spaced)).toBe(false)
    const closed = { code: 'question_closed', outcome: 'answered', by: 'ada' }
    expect(await refused(answer({ a: 2 }))).toEqual(closed)
    expect(await refused(answer({ a: 1, b: 2 }, BEN))).toEqual(closed)
    expect(await world.types()).toEqual(before)
  })

  test('of many at once, from two nodes, is one [S2-09]', async () => {
    const world = new World()
    const { start, put, answer } = await open(world)
    const there = questionsAt(world.node())
    await start()
    await put()
    const results = await Promise.all([
      refusal(answer('a')),
      refusal(there.answer('b', BEN)),
      refusal(answer('c', { subject: 'cy' })),
    ])
    expect(results.filter((one) => one === null)).toHaveLength(1)
    expect(results.filter((one) => one === 'question_closed')).toHaveLength(2)
    const types = await world.types()
    expect(types.filter((type) => type === 'question.answered')).toHaveLength(1)
    expect(types.filter((type) => type === 'run.resumed')).toHaveLength(1)
  })

  test('that does not fit the schema is refused, and the question stays open [P-11.5]', async () => {
    const { put, answer, get } = await open()
    const schema = {
      type: 'object',
      properties: { pick: { enum: ['a', 'b'] }, note: { type: 'string', maxLength: 3 } },
      required: ['pick'],
      additionalProperties: false,
    }
    await put({ claim: null, schema })
    for (const wrong of [null, 'a', {}, { pick: 'c' }, { pick: 'a', x: 1 }]) {
      expect(await refusal(answer(wrong))).toBe('answer_invalid')
    }
    expect(await refused(answer({ pick: 'a', note: 'long' }))).toMatchObject({
      misfit: expect.stringContaining('answer/note'),
    })
    expect((await get()).closed).toBeNull()
    expect(await answer({ pick: 'a', note: '👍👍👍' })).toBe(true)
    expect(await refusal(answer({ pick: 'c' }))).toBe('question_closed')
  })

  test('of one of two questions leaves the run waiting; of the last one lets it go on', async () => {
    const { start, put, answer, resume, status, story } = await open()
    await start()
    await put()
    await put({ question: 'q2' })
    await answer('a')
    expect(await status()).toBe('1 waiting')
    await resume()
    expect(await status()).toBe('1 waiting')
    await answer('b', ADA, 'q2')
    expect(await status()).toBe('1 thinking')
    expect(await story()).toEqual([
      'run.started',
      'question.asked',
      'run.status waiting',
      'question.asked',
      'question.answered',
      'question.answered',
      'run.resumed answered',
    ])
  })

  test('of each of two questions at once lets the run go on, and two that are asked at once are both waited for', async () => {
    const world = new World()
    const { start, put, answer, status } = await open(world)
    const there = questionsAt(world.node())
    await start()
    await Promise.all([put(), there.put({ question: 'q2' })])
    expect(await world.field(FIELD.runQuestions('r1'))).toMatch(/q1.*q2|q2.*q1/)
    await Promise.all([answer('a'), there.answer('b', BEN, 'q2')])
    expect(await status()).toBe('1 thinking')
    expect((await world.types()).filter((type) => type === 'run.resumed')).toHaveLength(1)
  })

  test('comes to a run that another process has adopted meanwhile [S2-09]', async () => {
    const { start, put, adopt, answer, last, status } = await open()
    await start()
    await put()
    await adopt('p2')
    await answer('a')
    expect(await last('run.resumed')).toMatchObject({ data: { epoch: 2, reason: 'answered' } })
    expect(await status()).toBe('2 thinking')
  })

  test('is refused where there is no such question, where the session is closed, and over the size', async () => {
    const { put, answer, node } = await open(new World({ maxEventBytes: 100 }))
    expect(await refusal(answer('a'))).toBe('question_not_found')
    await put({ claim: null })
    expect(await refusal(answer('x'.repeat(100)))).toBe('payload_too_large')
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await refusal(answer('a'))).toBe('session_closed')
  })
})

describe('a question is over', () => {
  test('when it expires, once, whichever nodes look; the run goes on [P-11.5]', async () => {
    const world = new World()
    const { start, put, last, story, answer, clock } = await open(world)
    world.node()
    await start()
    await put({ expiresInMs: 5000 })
    await clock.advance(8000)
    expect(await last('question.answered')).toMatchObject({
      by: { subject: 'server' },
      data: { question: 'q1', run: 'r1', outcome: 'expired' },
    })
    expect((await story()).slice(3)).toEqual(['question.answered', 'run.resumed answered'])
    expect(await refused(answer('a'))).toMatchObject({ outcome: 'expired', by: 'server' })
  })

  test('when it is answered in time it does not expire', async () => {
    const { put, answer, world, clock } = await open()
    await put({ claim: null, expiresInMs: 5000 })
    await answer('a')
    await clock.advance(20_000)
    expect((await world.types()).filter((type) => type === 'question.answered')).toHaveLength(1)
    expect(await world.store.due(10)).toEqual([])
  })

  test('when it is withdrawn, by whoever holds the run [P-11.5]', async () => {
    const { start, put, adopt, withdraw, status, answer } = await open()
    await start()
    await put()
    await adopt()
    expect(await refusal(withdraw(1))).toBe('run_fenced')
    expect(await withdraw(2)).toBe('withdrawn')
    expect(await status()).toBe('2 thinking')
    expect(await withdraw()).toBe('withdrawn')
    expect(await refused(answer('a'))).toMatchObject({ outcome: 'withdrawn' })
    expect(await refusal(withdraw(null, 'q9'))).toBe('question_not_found')
  })

  test('when its run is over [P-10.8]', async () => {
    const { start, put, cancel, get, world, clock } = await open()
    await start()
    await put({ expiresInMs: 5000 })
    await cancel()
    expect((await get()).closed).toEqual({ outcome: 'withdrawn', by: 'ada' })
    await clock.advance(20_000)
    expect(await world.types()).toEqual([
      'session.created',
      'run.started',
      'question.asked',
      'run.status',
      'question.answered',
      'run.cancelled',
    ])
  })
})

describe('waiting for an answer', () => {
  test('ends with it, from whichever node it comes [P-11.5] [S2-09]', async () => {
    const world = new World()
    const { start, put, node, clock } = await open(world)
    const there = world.node()
    await start()
    await put()
    const waiting = node.questions.wait(SESSION, 'q1', { waitMs: 30_000 })
    await clock.advance(500)
    await questionsAt(there).answer({ ok: true })
    const { info, closed } = await clock.resolve(waiting, 100)
    expect(closed).toEqual({ outcome: 'answered', by: 'ada', answer: { ok: true } })
    expect(info).toMatchObject({ run: 'r1', prompt: 'Which one?', by: 'key:test' })
    expect((await there.questions.wait(SESSION, 'q1', { waitMs: 30_000 })).closed).toEqual(closed)
  })

  test('ends with its time, with the question open still', async () => {
    const { put, node, clock } = await open()
    await put({ claim: null })
    const waiting = node.questions.wait(SESSION, 'q1', { waitMs: 10_000 })
    expect((await clock.resolve(waiting)).closed).toBeNull()
    expect(clock.elapsed).toBe(10_000)
    const missing = node.questions.wait(SESSION, 'q9', { waitMs: 10_000 })
    expect(await refusal(missing)).toBe('question_not_found')
  })
})
