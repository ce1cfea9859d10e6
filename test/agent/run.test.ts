import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AgentError } from '../../src/agent/index.ts'
import { aborted } from '../support/aborted.ts'
import { pause, until } from '../support/until.ts'
import { openRoom, textOf, type Room } from './support/setup.ts'

async function* tokens(words: readonly string[]): AsyncGenerator<string> {
  for (const word of words) yield await Promise.resolve(word)
}

describe('an agent in a session, against a real server', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(() => room.close())

  test('what the function returns is the output, and its text is one message of the run [P-10.7]', async () => {
    const session = room.agent.session('plain')
    await session.open({ title: 'plain' })
    const result = await session.run({ agent: 'writer' }, async (run) => {
      await run.text('Hello ')
      await run.text('there.')
      return { words: 2 }
    })
    expect(result).toEqual({
      started: true,
      run: expect.any(String),
      status: 'finished',
      output: { words: 2 },
    })
    const [message, ...more] = await room.messages('plain')
    expect(more).toEqual([])
    expect(message).toMatchObject({ id: `${result.run}.m1`, run: result.run, status: 'completed' })
    expect(textOf(message)).toBe('Hello there.')
    const types = (await room.events('plain')).map(({ type }) => type)
    expect(types.filter((type) => type.startsWith('run.'))).toEqual(['run.started', 'run.finished'])
    expect(types.at(-1)).toBe('run.finished')
  })

  test('what it throws ends the run as failed, and is thrown again [P-10.7]', async () => {
    const session = room.agent.session('failing')
    await session.open()
    const broken = new TypeError('the model is gone')
    await expect(
      session.run({ run: 'r1' }, async (run) => {
        await run.text('I was about to')
        throw broken
      }),
    ).rejects.toBe(broken)
    expect(await room.ask('GET', '/sessions/failing/runs/r1')).toMatchObject({
      status: 'failed',
      error: { message: 'the model is gone' },
    })
    expect(await room.messages('failing')).toMatchObject([
      { id: 'r1.m1', status: 'failed', parts: [{ text: 'I was about to' }] },
    ])
  })

  test('a stream is piped whole, however it is cut [R4]', async () => {
    const session = room.agent.session('piped')
    await session.open()
    const words = Array.from({ length: 1000 }, (_, n) => (n % 9 === 0 ? `🧵${n} ` : `w${n} `))
    // Cut between the halves of a pair, as a tokenizer may.
    const cut = words.flatMap((word) => [word.slice(0, 1), word.slice(1)])
    await session.run({ run: 'r1' }, async (run) => {
      const piped = await run.pipe(tokens(cut))
      expect(piped).toMatchObject({ message: 'r1.m1', status: 'completed', text: words.join('') })
    })
    expect(textOf((await room.messages('piped'))[0])).toBe(words.join(''))
    // Joined on the way: not an event a token.
    expect((await room.events('piped')).length).toBeLessThan(200)
  })

  test('the same trigger 20 times at once is one run [R8] [P-10.1]', async () => {
    await room.agent.session('triggered').open()
    let worked = 0
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const agent = n % 2 === 0 ? room.agent : room.another()
        return agent.session('triggered').run({ trigger: 'input-1' }, async (run) => {
          worked++
          await run.text('once')
        })
      }),
    )
    expect(worked).toBe(1)
    expect(results.filter(({ started }) => started)).toHaveLength(1)
    expect(new Set(results.map(({ run }) => run)).size).toBe(1)
    expect((await room.messages('triggered')).map(textOf)).toEqual(['once'])
  })

  test('a cancel from elsewhere stops the agent at once, and nothing of it follows [R1] [P-10.8]', async () => {
    const session = room.agent.session('cancelled')
    await session.open()
    const begun = Promise.withResolvers<void>()
    // It writes nothing: no refusal tells it.
    const working = session.run({ run: 'r1' }, async (run) => {
      await run.text('Let me think')
      await run.flush()
      begun.resolve()
      await new Promise((_, reject) => {
        run.signal.addEventListener('abort', () => reject(run.signal.reason as Error))
      })
    })
    await begun.promise
    const since = performance.now()
    const cancel = await room.ask('POST', '/sessions/cancelled/runs/r1/cancel', { reason: 'stop' })
    expect(cancel).toMatchObject({ cancelled: true })
    expect(await working).toEqual({ started: true, run: 'r1', status: 'cancelled' })
    // Long before the next heartbeat, which is 5 s away.
    expect(performance.now() - since).toBeLessThan(4000)
    expect(await room.messages('cancelled')).toMatchObject([
      { status: 'interrupted', parts: [{ text: 'Let me think' }] },
    ])
    const events = await room.events('cancelled')
    expect(events.at(-1)?.type).toBe('run.cancelled')
  })

  test('a cancel stops a stream that is being piped [R1]', async () => {
    const session = room.agent.session('cut-off')
    await session.open()
    let returned = false
    async function* endless(): AsyncGenerator<string> {
      try {
        for (let n = 0; ; n++) {
          yield `w${n} `
          await new Promise((resolve) => setImmediate(resolve))
        }
      } finally {
        returned = true
      }
    }
    const working = session.run({ run: 'r1' }, (run) => run.pipe(endless()))
    await until('it streams', async () => {
      const runs = await room.ask('GET', '/sessions/cut-off/runs')
      return (runs['runs'] as { status: string }[])[0]?.status === 'streaming'
    })
    await room.ask('POST', '/sessions/cut-off/runs/r1/cancel', {})
    expect(await working).toMatchObject({ status: 'cancelled' })
    await until('the stream was told', () => returned)
    expect((await room.events('cut-off')).at(-1)?.type).toBe('run.cancelled')
  })

  test('who was fenced stops, and what took over goes on [P-10.2]', async () => {
    const session = room.agent.session('fenced')
    await session.open()
    const begun = Promise.withResolvers<void>()
    const first = session.run({ run: 'r1' }, async (run) => {
      await run.text('from the first')
      await run.flush()
      begun.resolve()
      await aborted(run.signal)
      await run.text('a zombie')
    })
    await begun.promise
    const second = await room
      .another()
      .session('fenced')
      .run({ run: 'r1', adopt: 'rewrite' }, async (run) => {
        expect(run).toMatchObject({ resumed: true, epoch: 2 })
        await run.text('from the second')
      })
    expect(await first).toEqual({ started: true, run: 'r1', status: 'fenced' })
    expect(second).toMatchObject({ started: true, status: 'finished' })
    expect((await room.messages('fenced')).map(textOf)).toEqual(['from the second'])
  })

  test('a run that is tried again, as an activity of a workflow is, writes the same messages, once [R3] [S3-03] [S4-23]', async () => {
    const names = { run: 'workflow-1', adopt: 'rewrite', onThrow: 'leave' } as const
    await room.agent.session('activity').open()
    for (let attempt = 1; attempt <= 3; attempt++) {
      const work = room
        .another()
        .session('activity')
        .run(names, async (run) => {
          expect(run.epoch).toBe(attempt)
          await run.text('step one')
          await run.message()
          await run.pipe(tokens(['step ', 'two', '!'.repeat(attempt)]))
          if (attempt < 3) throw new Error('the worker died')
        })
      await (attempt < 3 ? expect(work).rejects.toThrow('the worker died') : work)
    }
    const messages = await room.messages('activity')
    expect(messages.map(({ id, status }) => [id, status])).toEqual([
      ['workflow-1.m1', 'completed'],
      ['workflow-1.m2', 'completed'],
    ])
    expect(messages.map(textOf)).toEqual(['step one', 'step two!!!'])
    const last = await room
      .another()
      .session('activity')
      .run(names, () => undefined)
    expect(last).toEqual({ started: false, run: 'workflow-1', status: 'finished' })
  })

  test('who adopts may go on from the checkpoint, in the message as it stands [P-10.10]', async () => {
    const session = room.agent.session('long-way')
    await session.open()
    const work = session.run({ run: 'r1', onThrow: 'leave' }, async (run) => {
      await run.text('1 2 3')
      await run.checkpoint({ reached: 3 })
      throw new Error('killed')
    })
    await expect(work).rejects.toThrow('killed')
    await room
      .another()
      .session('long-way')
      .run({ run: 'r1', adopt: 'continue' }, async (run) => {
        expect(run.lastCheckpoint).toEqual({ reached: 3 })
        await run.text(' 4 5')
      })
    expect((await room.messages('long-way')).map(textOf)).toEqual(['1 2 3 4 5'])
  })

  test('two agents write at once, each attributed and whole [R21] [S3-04]', async () => {
    await room.agent.session('two').open()
    const text = (name: string): string[] => Array.from({ length: 400 }, (_, n) => `${name}${n} `)
    async function* paced(words: readonly string[]): AsyncGenerator<string> {
      for (const [n, word] of words.entries()) {
        yield word
        if (n % 20 === 0) await pause(10)
      }
    }
    await Promise.all(
      ['ada', 'bob'].map((name) =>
        room
          .another()
          .session('two')
          .run({ run: `of-${name}`, agent: name }, (run) => run.pipe(paced(text(name)))),
      ),
    )
    const messages = await room.messages('two')
    for (const name of ['ada', 'bob']) {
      const message = messages.find(({ run }) => run === `of-${name}`)
      expect(textOf(message)).toBe(text(name).join(''))
    }
    const writers = (await room.events('two'))
      .filter(({ type }) => type === 'message.delta')
      .map(({ by }) => by.run)
    const turns = writers.filter((run, n) => run !== writers[n - 1]).length
    expect(turns).toBeGreaterThan(4)
    const { runs } = await room.ask('GET', '/sessions/two/runs')
    expect(runs).toMatchObject([{ agent: expect.any(String) }, { agent: expect.any(String) }])
  })

  test('a call of a tool is a part, and its result takes its place [S1-03]', async () => {
    const session = room.agent.session('tools')
    await session.open()
    await session.run({ run: 'r1' }, async (run) => {
      await run.text('I look it up.')
      for (let n = 0; n < 60; n++) {
        expect(await run.tool('search', { n }, () => ({ found: n }))).toEqual({ found: n })
      }
      const failing = run.tool('search', {}, () => Promise.reject(new Error('no network')))
      await expect(failing).rejects.toThrow('no network')
    })
    const [message] = await room.messages('tools')
    expect(message?.parts.slice(1, 61)).toEqual(
      Array.from({ length: 60 }, (_, n) => ({
        type: 'tool',
        id: `p${n + 2}`,
        call: `p${n + 2}`,
        name: 'search',
        state: 'done',
        input: { n },
        output: { found: n },
      })),
    )
    expect(message?.parts.at(-1)).toMatchObject({ state: 'failed', error: 'no network' })
  })

  test('what is attached is counted, and what it is at is told', async () => {
    const session = room.agent.session('watched')
    await session.open()
    await session.run({ run: 'r1' }, async (run) => {
      expect(await run.attached()).toEqual({ human: 0, agent: 0, supervisor: 0 })
      await room.ask('PUT', '/sessions/watched/presence/tab', { kind: 'human', ttlMs: 60_000 })
      expect(await run.attached()).toMatchObject({ human: 1 })
      await run.status({ step: 'reading', detail: 'page 3 of 7' })
      expect(await room.ask('GET', '/sessions/watched/runs/r1')).toMatchObject({
        step: 'reading',
        detail: 'page 3 of 7',
      })
    })
  })

  test('a run that is left without an end has failed; closing the agent fails what is under way', async () => {
    const agent = room.another()
    const session = agent.session('left')
    await session.open()
    {
      await using run = await session.start({ run: 'r1' })
      await run?.text('half a')
    }
    expect(await room.ask('GET', '/sessions/left/runs/r1')).toMatchObject({
      status: 'failed',
      error: { code: 'not_finished' },
    })
    // It never looks at its signal.
    const stuck = session.run({ run: 'r2' }, () => new Promise(() => undefined))
    stuck.catch(() => undefined)
    await until('it runs', async () => {
      const { runs } = await room.ask('GET', '/sessions/left/runs?status=live')
      return (runs as unknown[]).length === 1
    })
    await agent.close()
    await agent.close()
    expect(await room.ask('GET', '/sessions/left/runs/r2')).toMatchObject({
      status: 'failed',
      error: { code: 'agent_closed' },
    })
    await expect(session.run({}, () => undefined)).rejects.toBeInstanceOf(AgentError)
  })
})
