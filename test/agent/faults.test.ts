import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fetch } from '../../src/agent/index.ts'
import { aborted } from '../support/aborted.ts'
import { pause, until } from '../support/until.ts'
import { answeredBySomethingElse, losing } from './support/losing-fetch.ts'
import { openRoom, textOf, type Room } from './support/setup.ts'

describe('an agent on a bad network, against a real server', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(() => room.close())

  test.each([1, 2, 3, 4])(
    'writes everything, once and in order, though requests and answers are lost (seed %i) [R3]',
    async (seed) => {
      const name = `lossy-${seed}`
      await room.agent.session(name).open()
      const agent = room.another({ fetch: losing(seed, 0.3), random: () => 0.01 })
      const words = Array.from({ length: 300 }, (_, n) => `${seed}:${n} 🧵 `)
      async function* stream(): AsyncGenerator<string> {
        for (const [n, word] of words.entries()) {
          yield word
          if (n % 30 === 0) await pause(5)
        }
      }
      const result = await agent.session(name).run({ run: 'r1', trigger: 't1' }, async (run) => {
        await run.pipe(stream())
        await run.checkpoint({ at: 1 })
        for (let n = 0; n < 20; n++) await run.tool('count', { n }, () => n)
        return 'done'
      })
      expect(result).toMatchObject({ status: 'finished', output: 'done' })
      const messages = await room.messages(name)
      expect(messages.map(textOf)).toEqual([words.join(''), ''])
      expect(messages[1]?.parts.map((part) => part['output'])).toEqual(
        Array.from({ length: 20 }, (_, n) => n),
      )
      const types = (await room.events(name)).map(({ type }) => type)
      const ends = types.filter((type) => type === 'run.started' || type === 'run.finished')
      expect(ends).toEqual(['run.started', 'run.finished'])
    },
  )

  test.each([1, 2, 3])(
    '[P-2.7] takes no 200 of something else for the word of the server: what was not acknowledged is sent again (seed %i)',
    async (seed) => {
      const name = `foreign-${seed}`
      await room.agent.session(name).open()
      const { input: trigger } = await room.say(name, 'Is it there?')
      const agent = room.another({
        fetch: answeredBySomethingElse(seed, 0.3),
        random: () => 0.01,
      })
      const words = Array.from({ length: 60 }, (_, n) => `${n} `)
      await agent.session(name).run({ trigger: String(trigger) }, async (run) => {
        expect(await run.history()).toMatchObject([{ parts: [{ text: 'Is it there?' }] }])
        for (const word of words) {
          await run.text(word)
          await run.flush()
        }
        await run.checkpoint({ at: 1 })
        for (let n = 0; n < 5; n++) await run.tool('count', { n }, () => n)
        for (let n = 1; n <= 10; n++) {
          expect(await run.state.set('at', n)).toBe(n)
          expect(await run.state.get('at')).toEqual({ value: n, version: n })
        }
      })
      const said = await room.messages(name)
      expect(said.map(textOf)).toEqual(['Is it there?', words.join('')])
      const types = (await room.events(name)).map(({ type }) => type)
      const once = ['run.started', 'input.delivered', 'run.finished']
      expect(types.filter((type) => once.includes(type))).toEqual(once)
    },
  )

  test('a long call of a tool outlives every connection of its agent: its result lands [S1-02]', async () => {
    await room.agent.session('long-tool').open()
    let cut = false
    let lost = 0
    const cuttable: Fetch = async (url, init) => {
      if (!cut) return fetch(url, init)
      lost++
      throw new TypeError('fetch failed')
    }
    const agent = room.another({ fetch: cuttable, random: () => 0.01 })
    const result = await agent.session('long-tool').run({ run: 'r1' }, (run) =>
      run.tool('build', {}, async () => {
        for (let time = 1; time <= 2; time++) {
          cut = true
          lost = 0
          const told = run.status({ step: `cut ${time}` })
          await until('it was tried in vain', () => lost > 2)
          cut = false
          await told
        }
        return { built: true }
      }),
    )
    expect(result).toMatchObject({ output: { built: true } })
    expect(await room.messages('long-tool')).toMatchObject([
      { status: 'completed', parts: [{ state: 'done', output: { built: true } }] },
    ])
  })

  test('a process that stands still too long has lost its run, hears of it, and another goes on [R6]', async () => {
    const session = room.agent.session('stood-still')
    await session.open()
    const still: Fetch = (url, init) =>
      // Its signs of life do not arrive.
      /heartbeat|events/.test(url)
        ? Promise.reject(new TypeError('fetch failed'))
        : fetch(url, init)
    let reason: unknown
    const lost = room
      .another({ fetch: still })
      .session('stood-still')
      .run({ run: 'r1', leaseMs: 5000 }, async (run) => {
        await until('the run is lost', async () => {
          const { status } = await room.ask('GET', '/sessions/stood-still/runs/r1')
          return status === 'lost'
        })
        await run.status({ step: 'still here?' }).catch((error: unknown) => (reason = error))
        return 'too late'
      })
    expect(await lost).toMatchObject({ started: true, status: 'lost' })
    expect(reason).toMatchObject({ code: 'run_over' })
    const next = session.run({ run: 'r1', adopt: 'continue' }, (run) => run.epoch)
    expect(await next).toMatchObject({ status: 'finished', output: 2 })
  }, 30_000)

  test('a token is enough, got again when it is refused; what it may not read it does without [P-6.2]', async () => {
    await room.agent.session('by-token').open()
    let got = 0
    const token = async (): Promise<string> => {
      got++
      if (got === 1) return 'not.a.token'
      const minted = await room.ask('POST', '/tokens', {
        subject: 'worker-1',
        sessions: ['by-token'],
        capabilities: ['publish'],
        ttlMs: 60_000,
        kind: 'agent',
      })
      return String(minted['token'])
    }
    const { createAgent } = await import('../../src/agent/index.ts')
    const agent = createAgent({ url: `${room.server.url}/`, token })
    const working = agent.session('by-token').run({ run: 'r1', leaseMs: 5000 }, async (run) => {
      await run.text('Hello')
      await run.flush()
      await room.ask('POST', '/sessions/by-token/runs/r1/cancel', {})
      // It hears no events: by its next heartbeat, a second later.
      await aborted(run.signal)
    })
    expect(await working).toMatchObject({ status: 'cancelled' })
    expect(got).toBe(2)
    expect(await room.messages('by-token')).toMatchObject([
      { by: 'worker-1', status: 'interrupted' },
    ])
    await agent.close()
  })
})

test('an agent needs to know where, and who it is', async () => {
  const { createAgent } = await import('../../src/agent/index.ts')
  expect(() => createAgent({ url: 'http://x.test' })).toThrow('it needs an apiKey or a token')
  expect(() => createAgent({ url: 'nowhere', apiKey: 'a:b' })).toThrow(TypeError)
})
