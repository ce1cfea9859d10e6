import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AgentInput, Run } from '../../src/agent/index.ts'
import { aborted } from '../support/aborted.ts'
import { until } from '../support/until.ts'
import { openRoom, textOf, type Json, type Room } from './support/setup.ts'

describe('people and a run, against a real server', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(() => room.close())

  const say = (session: string, text: string, more: Json = { mode: 'steer' }): Promise<Json> =>
    room.say(session, text, more)

  const waiting = async (session: string): Promise<readonly unknown[]> => {
    const { inputs } = await room.ask('GET', `/sessions/${session}/inputs`)
    return inputs as unknown[]
  }

  test('what they send while it works arrives, each once, and is marked as taken [P-11.3]', async () => {
    const session = room.agent.session('steered')
    await session.open()
    const heard: AgentInput[] = []
    const result = await session.run({ run: 'r1' }, async (run) => {
      await say('steered', 'shorter, please')
      for await (const input of run.inputs({ step: 'draft' })) {
        heard.push(input)
        if (heard.length === 2) break
        await say('steered', 'and in French')
      }
    })
    expect(result).toMatchObject({ status: 'finished' })
    expect(heard.map(({ text }) => text)).toEqual(['shorter, please', 'and in French'])
    expect(heard[0]).toMatchObject({ mode: 'steer', by: 'key:test', message: heard[0]?.id })
    expect(await waiting('steered')).toEqual([])
    const taken = (await room.events('steered')).filter(({ type }) => type === 'input.delivered')
    expect(taken.map(({ data }) => data)).toEqual(
      heard.map(({ id }) => ({ input: id, run: 'r1', step: 'draft' })),
    )
  })

  test('the loop ends with the run, and what waits for the next one stays', async () => {
    const session = room.agent.session('next')
    await session.open()
    let listening = Promise.resolve()
    const heard: string[] = []
    await session.run({ run: 'r1' }, async (run) => {
      listening = (async () => {
        for await (const input of run.inputs()) heard.push(input.text)
      })()
      await say('next', 'for later', { mode: 'queue' })
      await say('next', 'for another', { mode: 'steer', run: 'r1' })
      await until('it was heard', () => heard.length === 1)
    })
    await listening
    expect(heard).toEqual(['for another'])
    expect(await waiting('next')).toHaveLength(1)
    await session.run({ run: 'r2' }, async (run) => {
      expect(await run.takeInputs()).toEqual([])
      expect(await run.takeInputs({ queued: true })).toMatchObject([{ text: 'for later' }])
    })
    expect(await waiting('next')).toEqual([])
  })

  test('what an input triggers takes it, once [R8]', async () => {
    const session = room.agent.session('asked')
    await session.open()
    const { input } = await say('asked', 'What is tea?', { mode: 'queue' })
    const answer = (): Promise<unknown> =>
      session.run({ trigger: String(input) }, async (run) => {
        const question = (await session.messages()).find(({ id }) => id === input)
        await run.text(`You asked: ${textOf(question)}`)
      })
    await Promise.all([answer(), answer(), answer()])
    await until('it is taken', async () => (await waiting('asked')).length === 0)
    expect((await room.messages('asked')).map(textOf)).toEqual([
      'What is tea?',
      'You asked: What is tea?',
    ])
  })

  test('an input that was cancelled is not answered any more [P-11.4]', async () => {
    const session = room.agent.session('recalled')
    await session.open()
    const { input } = await say('recalled', 'Never mind', { mode: 'queue' })
    await room.ask('POST', `/sessions/recalled/inputs/${String(input)}/cancel`, {})
    expect(await session.run({ trigger: String(input) }, () => 'work')).toMatchObject({
      started: false,
      status: 'cancelled',
    })
  })

  test('an interrupt stops what runs, and is the next run’s [P-11.2] [R1]', async () => {
    const session = room.agent.session('interrupted')
    await session.open()
    const running = Promise.withResolvers<Run>()
    const first = session.run({ run: 'r1' }, async (run) => {
      await run.text('A long story')
      await run.flush()
      running.resolve(run)
      await aborted(run.signal)
    })
    await running.promise
    await say('interrupted', 'Stop. Something else.', { mode: 'interrupt' })
    expect(await first).toMatchObject({ status: 'cancelled' })
    const [input] = (await waiting('interrupted')) as { id: string }[]
    expect(await session.run({ trigger: input?.id ?? '' }, () => 'done')).toMatchObject({
      status: 'finished',
      output: 'done',
    })
  })

  test('a question waits for its answer, from any device [P-11.5]', async () => {
    const session = room.agent.session('question')
    await session.open()
    const asked = { question: 'q1', prompt: 'Which one?', schema: { enum: ['a', 'b'] } }
    const result = session.run({ run: 'r1' }, async (run) => {
      await run.text('I need to know.')
      return run.ask(asked)
    })
    await until('it is asked', async () => {
      const { status } = await room
        .ask('GET', '/sessions/question/runs/r1')
        .catch(() => ({ status: null }))
      return status === 'waiting'
    })
    const answer = (value: string): Promise<Json> =>
      room.ask('POST', '/sessions/question/questions/q1/answer', { answer: value })
    await expect(answer('c')).rejects.toThrow('answer_invalid')
    await answer('b')
    expect(await result).toMatchObject({ status: 'finished', output: 'b' })
    const types = (await room.events('question')).map(({ type }) => type)
    // What was written before is there when people are asked.
    expect(types.indexOf('message.delta')).toBeLessThan(types.indexOf('question.asked'))
  })

  test('a question that expires says so; one asked again has the answer that was given', async () => {
    const session = room.agent.session('again')
    await session.open()
    await session.run({ run: 'r1' }, async (run) => {
      const expired = run.ask({ prompt: 'Quick?', expiresInMs: 1 })
      await expect(expired).rejects.toMatchObject({
        code: 'question_closed',
        facts: { outcome: 'expired' },
      })
      const asking = run.ask({ question: 'q1', prompt: 'Sure?' })
      await until('it is asked', async () => {
        const events = await room.events('again')
        return events.some(
          ({ type, data }) => type === 'question.asked' && (data as Json)['question'] === 'q1',
        )
      })
      await room.ask('POST', '/sessions/again/questions/q1/answer', { answer: { yes: true } })
      expect(await asking).toEqual({ yes: true })
      expect(await run.ask({ question: 'q1', prompt: 'Sure?' })).toEqual({ yes: true })
    })
  })

  test('a cancel ends the waiting for an answer', async () => {
    const session = room.agent.session('given-up')
    await session.open()
    const result = session.run({ run: 'r1' }, (run) => run.ask({ prompt: 'Anybody?' }))
    await until('it is asked', async () => {
      const events = await room.events('given-up')
      return events.some(({ type }) => type === 'question.asked')
    })
    await room.ask('POST', '/sessions/given-up/runs/r1/cancel', {})
    expect(await result).toMatchObject({ status: 'cancelled' })
  })

  test('while a person speaks in its place it is refused; afterwards it begins another message [P-14.1]', async () => {
    const session = room.agent.session('taken')
    await session.open()
    const { token } = await room.ask('POST', '/tokens', {
      subject: 'ada',
      sessions: ['taken'],
      capabilities: ['control', 'send', 'publish'],
      ttlMs: 60_000,
    })
    const control = async (verb: string): Promise<number> => {
      const headers = {
        authorization: `Bearer ${String(token)}`,
        'content-type': 'application/json',
      }
      const url = `${room.server.url}/v1/sessions/taken/control/${verb}`
      return (await fetch(url, { method: 'POST', headers, body: '{}' })).status
    }
    const result = await session.run({ run: 'r1' }, async (run) => {
      await run.text('I think that')
      await run.flush()
      expect(await control('take')).toBe(200)
      await run.text(' you should')
      await expect(run.flush()).rejects.toMatchObject({ code: 'not_controller' })
      // Its work goes on with everything else.
      await run.status({ step: 'listening' })
      expect(run.signal.aborted).toBe(false)
      expect(await control('release')).toBe(200)
      await run.text('As I said.')
      return 'done'
    })
    expect(result).toMatchObject({ status: 'finished', output: 'done' })
    expect(await room.messages('taken')).toMatchObject([
      { status: 'interrupted', parts: [{ text: 'I think that' }] },
      { status: 'completed', parts: [{ text: 'As I said.' }] },
    ])
  })

  test('who was silent while a person had control goes on in another message, and nothing is refused [P-14.1] (R20)', async () => {
    const session = room.agent.session('heard')
    await session.open()
    await session.run({ run: 'r1' }, async (run) => {
      await run.text('One.')
      await run.flush()
      const inputs = run.inputs()[Symbol.asyncIterator]()
      const next = inputs.next()
      await room.ask('POST', '/sessions/heard/control/take', { kind: 'supervisor' })
      await room.ask('POST', '/sessions/heard/control/release', {})
      // By the same events as the end of the message before it.
      await room.ask('POST', '/sessions/heard/inputs', { mode: 'steer', data: 'go on' })
      await next
      await run.text('Two.')
      await run.flush()
    })
    expect((await room.messages('heard')).map(textOf)).toEqual(['One.', 'Two.'])
  })

  test('the shared state is read, set, compared and patched [P-12.2] [P-12.3]', async () => {
    const session = room.agent.session('state')
    await session.open()
    await session.run({ run: 'r1' }, async ({ state }) => {
      expect(await state.get('plan')).toBeNull()
      expect(await state.set('plan', { steps: ['a'] }, { ifVersion: null })).toBe(1)
      const refused = state.set('plan', 'other', { ifVersion: null })
      await expect(refused).rejects.toMatchObject({ code: 'version_conflict' })
      expect(await state.patch('plan', { by: 'ada' }, { ifVersion: 1 })).toBe(2)
      const add = { op: 'add', path: '/steps/-', value: 'b' } as const
      expect(await state.patch('plan', [add])).toBe(3)
      expect(await state.get('plan')).toEqual({
        value: { steps: ['a', 'b'], by: 'ada' },
        version: 3,
      })
      await state.delete('plan')
      await state.delete('plan')
      expect(await state.get('plan')).toBeNull()
      for (const value of [null, false, 0, '', 'half \ud83c', [1]]) {
        await state.set('any', value)
        const expected = typeof value === 'string' ? value.toWellFormed() : value
        expect(await state.get('any')).toMatchObject({ value: expected })
      }
    })
  })
})
