import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AgentSession, Run, RunResult } from '../../src/agent/index.ts'
import type { Message } from '../../src/protocol/fold/message.ts'
import { openRoom, textOf, type Json, type Room } from './support/setup.ts'

describe('branches, against a real server', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(() => room.close())

  const opened = async (id: string): Promise<AgentSession> => {
    const session = room.agent.session(id)
    await session.open()
    return session
  }
  /** A person sends it; `text` is what people read of it. */
  const say = (
    session: AgentSession,
    input: string,
    text: string,
    more: Json = {},
  ): Promise<Json> => send(session, input, { parts: [{ type: 'text', text }], ...more })
  const send = (session: AgentSession, input: string, more: Json): Promise<Json> =>
    room.ask('POST', `/sessions/${session.id}/inputs`, { input, mode: 'queue', ...more })
  /** A run that answers it with its own name, and gives back what its model was told. */
  const answer = async (session: AgentSession, trigger: string): Promise<readonly string[]> => {
    const result = await session.run({ run: `run-${trigger}`, trigger }, async (run) => {
      const known = await run.history()
      await run.text(`answer to ${trigger}`)
      return known.map(textOf)
    })
    return outputOf(result)
  }
  const outputOf = <T>(result: RunResult<T>): T => {
    if (!('output' in result)) throw new Error(`the run is ${result.status}`)
    return result.output
  }
  /** Each message with its parent, in the order in which they were started. */
  const tree = async (session: AgentSession): Promise<Record<string, string | null>> => {
    const messages = await room.messages(session.id)
    return Object.fromEntries(messages.map(({ id, parent }) => [id, parent]))
  }
  const path = async (session: AgentSession, query: string): Promise<string[]> => {
    const { messages } = await room.ask('GET', `/sessions/${session.id}/messages?${query}`)
    return (messages as Message[]).map(({ id }) => id)
  }

  test('[S3-11] [R20] answered three times, gone on from the first: the model knows of no sibling, and all are listed', async () => {
    const session = await opened('regenerated')
    await say(session, 'u1', 'Name a tea.')
    expect(await answer(session, 'u1')).toEqual(['Name a tea.'])
    for (const again of ['i2', 'i3']) {
      await send(session, again, { parent: 'u1' })
      // The answers before are not in the context of the next one.
      expect(await answer(session, again)).toEqual(['Name a tea.'])
    }
    expect(await path(session, 'branch=latest')).toEqual(['u1', 'run-i3.m1'])
    await say(session, 'u2', 'Why that?', { parent: 'run-u1.m1' })
    expect(await answer(session, 'u2')).toEqual(['Name a tea.', 'answer to u1', 'Why that?'])
    expect(await tree(session)).toEqual({
      u1: null,
      'run-u1.m1': 'u1',
      'run-i2.m1': 'u1',
      'run-i3.m1': 'u1',
      u2: 'run-u1.m1',
      'run-u2.m1': 'u2',
    })
    expect(await path(session, 'branch=latest')).toEqual(['u1', 'run-u1.m1', 'u2', 'run-u2.m1'])
    expect(await path(session, 'branch=run-i2.m1')).toEqual(['u1', 'run-i2.m1'])
  })

  test('[R20] an edit is answered on its own branch', async () => {
    const session = await opened('edited')
    await say(session, 'u1', 'Name a tea.')
    await answer(session, 'u1')
    await say(session, 'u2', 'And a cake.')
    await answer(session, 'u2')
    await say(session, 'u3', 'And a biscuit.', { parent: 'run-u1.m1' })
    expect(await answer(session, 'u3')).toEqual(['Name a tea.', 'answer to u1', 'And a biscuit.'])
    await say(session, 'u4', 'Name a coffee.', { parent: null })
    expect(await answer(session, 'u4')).toEqual(['Name a coffee.'])
    expect(await path(session, 'branch=u2')).toEqual(['u1', 'run-u1.m1', 'u2', 'run-u2.m1'])
  })

  test('[P-16.6] two runs at once each follow what they answer, and then themselves', async () => {
    const session = await opened('two')
    await say(session, 'u1', 'Name a tea.')
    await say(session, 'u2', 'Name a coffee.', { parent: null })
    const both = Promise.withResolvers<void>()
    let begun = 0
    const write = (trigger: string): Promise<unknown> =>
      session.run({ run: `run-${trigger}`, trigger }, async (run) => {
        await run.text('one')
        await run.flush()
        if (++begun === 2) both.resolve()
        await both.promise
        await run.message()
        await run.text('two')
      })
    await Promise.all([write('u1'), write('u2')])
    expect(await tree(session)).toEqual({
      u1: null,
      u2: null,
      'run-u1.m1': 'u1',
      'run-u2.m1': 'u2',
      'run-u1.m2': 'run-u1.m1',
      'run-u2.m2': 'run-u2.m1',
    })
  })

  test('[R10] what people queue while an agent works hides no answer from the next run', async () => {
    const session = await opened('queued')
    await say(session, 'u1', 'Name a tea.')
    await say(session, 'u2', 'And a cake.')
    expect(await answer(session, 'u1')).toEqual(['Name a tea.'])
    expect(await answer(session, 'u2')).toEqual(['Name a tea.', 'answer to u1', 'And a cake.'])
    expect(await path(session, 'branch=latest')).toEqual(['u1', 'run-u1.m1', 'u2', 'run-u2.m1'])
  })

  test('[P-16.6] what a run takes on its way is followed by what it writes next', async () => {
    const session = await opened('steered')
    await say(session, 'u1', 'Name a tea.')
    await session.run({ run: 'r1', trigger: 'u1' }, async (run) => {
      await run.text('Tea')
      await say(session, 's1', 'Shorter.', { mode: 'steer' })
      expect(await run.takeInputs()).toMatchObject([{ id: 's1', text: 'Shorter.' }])
      await run.message()
      await run.text('T')
      await say(session, 's2', 'Longer.', { mode: 'steer', parent: 'r1.m1' })
      for await (const input of run.inputs()) {
        expect(input).toMatchObject({ id: 's2', parent: 'r1.m1' })
        await run.message()
        await run.text('Teaaa')
        break
      }
    })
    expect(await tree(session)).toMatchObject({
      'r1.m1': 'u1',
      'r1.m2': 's1',
      s2: 'r1.m1',
      'r1.m3': 's2',
    })
  })

  test('[P-16.6] a message that triggers a run is what it answers; a trigger that is none leaves it to the session', async () => {
    const session = await opened('triggers')
    for (const message of ['m1', 'm2']) {
      const data = { message, role: 'user', parts: [{ type: 'text', text: message }] }
      await room.ask('POST', '/sessions/triggers/events', { type: 'message.completed', data })
    }
    expect(await answer(session, 'm1')).toEqual(['m1'])
    expect(await answer(session, 'nothing')).toEqual(['m1', 'answer to m1', 'm2'])
    expect(await tree(session)).toMatchObject({ 'run-m1.m1': 'm1', 'run-nothing.m1': 'run-m1.m1' })
  })

  test('what a caller names as the parent is that of the first message', async () => {
    const session = await opened('named')
    await say(session, 'u1', 'Name a tea.')
    await say(session, 'u2', 'Name a coffee.', { parent: null })
    const write = async (run: Run): Promise<readonly string[]> => {
      await run.text('one')
      await run.message()
      await run.text('two')
      await run.message({ parent: null })
      await run.text('three')
      return (await run.history()).map(textOf)
    }
    const options = { run: 'r1', trigger: 'u2', message: { parent: 'u1' } }
    expect(outputOf(await session.run(options, write))).toEqual(['Name a tea.'])
    expect(await tree(session)).toMatchObject({ 'r1.m1': 'u1', 'r1.m2': 'r1.m1', 'r1.m3': null })
  })

  test('a message that was refused is followed by none', async () => {
    const session = await opened('refused')
    await say(session, 'u1', 'Name a tea.')
    await session.run({ run: 'r1', trigger: 'u1' }, async (run) => {
      await run.text('one')
      await run.flush()
      await room.ask('POST', '/sessions/refused/control/take', { kind: 'supervisor', force: true })
      await room.ask('POST', '/sessions/refused/control/release', {})
      // What was open was ended as control was taken: this delta is refused, the message before it stays.
      await run.text(' more')
      await expect(run.flush()).rejects.toMatchObject({ code: 'message_closed' })
      await run.text('two')
      await run.flush()
      await room.ask('POST', '/sessions/refused/control/take', { kind: 'supervisor' })
      await run.message()
      await run.text('never')
      await expect(run.flush()).rejects.toThrow()
      await room.ask('POST', '/sessions/refused/control/release', {})
      await run.text('four')
    })
    const found = await tree(session)
    expect(Object.entries(found)).toEqual([
      ['u1', null],
      ['r1.m1', 'u1'],
      ['r1.m2', 'r1.m1'],
      [expect.stringMatching(/^r1\.m[3-9]$/), 'r1.m2'],
    ])
  })

  test('a process that takes a run over goes on where it stood', async () => {
    const session = await opened('adopted')
    await say(session, 'u1', 'Name a tea.')
    await session
      .run({ run: 'r1', trigger: 'u1', onThrow: 'leave' }, async (run) => {
        await run.text('one')
        await run.message()
        throw new Error('gone')
      })
      .catch(() => undefined)
    await say(session, 'u2', 'Name a coffee.', { parent: null })
    const other = room.another().session('adopted')
    const known = await other.run({ run: 'r1', trigger: 'u1', adopt: 'continue' }, async (run) => {
      await run.text('two')
      return (await run.history()).map(textOf)
    })
    expect(outputOf(known)).toEqual(['Name a tea.'])
    expect(await tree(session)).toMatchObject({ 'r1.m1': 'u1', 'r1.m2': 'r1.m1' })
  })

  test('a long history comes in pages, in the order of the path', async () => {
    const session = await opened('long')
    let parent: string | null = null
    for (let n = 0; n < 130; n++) {
      const data = { message: `m${n}`, role: n % 2 === 0 ? 'user' : 'assistant', parent }
      await room.ask('POST', '/sessions/long/events', { type: 'message.completed', data })
      parent = `m${n}`
    }
    await say(session, 'u1', 'And?', { parent })
    await session.run({ trigger: 'u1' }, async (run) => {
      const all = (await run.history(200)).map(({ id }) => id)
      expect(all).toEqual([...Array.from({ length: 130 }, (_, n) => `m${n}`), 'u1'])
      expect((await run.history(2)).map(({ id }) => id)).toEqual(['m129', 'u1'])
    })
  })
})
