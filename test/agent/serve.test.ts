import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Fetch } from '../../src/agent/index.ts'
import { systemClock, type Clock } from '../../src/sdk/clock.ts'
import { aborted } from '../support/aborted.ts'
import { until } from '../support/until.ts'
import { openRoom, textOf, type Json, type Room } from './support/setup.ts'

/** For so long one request is waited for. */
const REQUEST_MS = 20_000

describe('agents that serve a session, against a real server', () => {
  let room: Room
  beforeAll(async () => {
    room = await openRoom()
  })
  afterAll(() => room.close())

  test('answer each input once, whoever is first [R8]', async () => {
    await room.agent.session('served').open()
    await room.say('served', 'q0')
    const errors: unknown[] = []
    const stop = new AbortController()
    let atOnce = 0
    let most = 0
    const serving = Array.from({ length: 3 }, () => {
      const session = room.another().session('served')
      const options = {
        agent: 'answerer',
        signal: stop.signal,
        onError: (e: unknown) => errors.push(e),
      }
      return session.serve(options, async (run) => {
        most = Math.max(most, ++atOnce)
        await run.text(`by ${run.id}`)
        const { trigger } = await room.ask('GET', `/sessions/served/runs/${run.id}`)
        atOnce--
        if (trigger === 'bad') throw new Error('this one fails')
      })
    })
    for (let n = 1; n < 8; n++) await room.say('served', `q${n}`)
    await room.ask('POST', '/sessions/served/inputs', { input: 'bad', mode: 'queue', data: {} })
    await until('all are answered', async () => (await room.answers('served')).length === 9)
    await until('all are over', async () => {
      const { runs } = await room.ask('GET', '/sessions/served/runs?status=live')
      return (runs as unknown[]).length === 0
    })
    await until('the failure is told', () => errors.length > 0)
    stop.abort()
    await Promise.all(serving)
    expect(new Set(await room.answers('served')).size).toBe(9)
    // One after the other, whoever serves.
    expect(most).toBe(1)
    expect(errors).toMatchObject([{ message: 'this one fails' }])
    expect(await room.ask('GET', '/sessions/served/inputs')).toEqual({ inputs: [] })
  })

  test('deliver each result to whoever asked for it, where that is wished [P-15.1] [R17]', async () => {
    await room.agent.session('to-sender').open()
    const stop = new AbortController()
    const options = { agent: 'answerer', signal: stop.signal, deliverTo: 'sender' } as const
    const serving = room.agent
      .session('to-sender')
      .serve(options, (run) => run.text(`by ${run.id}`))
    const sent = await room.say('to-sender', 'for me')
    await until('it is delivered', async () => {
      const { deliveries } = await room.ask('GET', '/sessions/to-sender/deliveries?status=pending')
      return (deliveries as unknown[]).length === 1
    })
    stop.abort()
    await serving
    const { runs } = await room.ask('GET', '/sessions/to-sender/runs')
    const { deliveries } = await room.ask('GET', '/sessions/to-sender/deliveries')
    const [run] = runs as { id: string; trigger: string }[]
    expect(run?.trigger).toBe(sent['input'])
    expect(deliveries).toMatchObject([{ run: run?.id, to: 'key:test', status: 'pending' }])
  })

  test('leave what is meant for a run that lives to that run, and take it once that is over', async () => {
    await room.agent.session('meant').open()
    const stop = new AbortController()
    const texts: string[] = []
    let release = (): void => undefined
    const options = { agent: 'answerer', signal: stop.signal }
    const work = room.agent.session('meant')
    const serving = [room.agent, room.another()].map((agent) =>
      agent.session('meant').serve(options, async (run) => {
        const { trigger } = await room.ask('GET', `/sessions/meant/runs/${run.id}`)
        const question = (await work.messages()).find(({ id }) => id === trigger)
        texts.push(textOf(question))
        if (texts.length === 1) await new Promise<void>((resolve) => (release = resolve))
      }),
    )
    await room.say('meant', 'first')
    await until('it works', () => texts.length === 1)
    const parts = [{ type: 'text', text: 'to that one' }]
    await room.ask('POST', '/sessions/meant/inputs', { mode: 'steer', parts })
    await room.say('meant', 'second')
    const { inputs } = await room.ask('GET', '/sessions/meant/inputs')
    expect(inputs).toHaveLength(2)
    expect(texts).toEqual(['first'])
    release()
    await until('all is answered', () => texts.length === 3)
    expect(texts).toEqual(['first', 'to that one', 'second'])
    stop.abort()
    await Promise.all(serving)
  }, 20_000)

  test('answer who said now before who can wait [P-11.2] (R10)', async () => {
    await room.agent.session('now').open()
    const stop = new AbortController()
    const answered: string[] = []
    const options = { agent: 'answerer', signal: stop.signal }
    const serving = room.agent.session('now').serve(options, async (run) => {
      const { trigger } = await room.ask('GET', `/sessions/now/runs/${run.id}`)
      answered.push(String(trigger))
      if (answered.length > 1) return
      await aborted(run.signal)
    })
    const send = (input: string, mode: string): Promise<Json> =>
      room.ask('POST', '/sessions/now/inputs', { input, mode, data: {} })
    await send('first', 'queue')
    await until('it works', () => answered.length === 1)
    await send('second', 'queue')
    await send('third', 'queue')
    await send('stop', 'interrupt')
    await until('all are answered', () => answered.length === 4)
    expect(answered).toEqual(['first', 'stop', 'second', 'third'])
    stop.abort()
    await serving
  }, 20_000)

  test('work at so many inputs of a session at once as they are told', async () => {
    await room.agent.session('at-once').open()
    const stop = new AbortController()
    const begun: string[] = []
    const releases: (() => void)[] = []
    let working = 0
    let most = 0
    const options = { agent: 'answerer', concurrency: 2, signal: stop.signal }
    const serving = room.agent.session('at-once').serve(options, async (run) => {
      begun.push(run.id)
      most = Math.max(most, ++working)
      await new Promise<void>((resolve) => releases.push(resolve))
      working--
    })
    for (let n = 0; n < 6; n++) await room.say('at-once', `q${n}`)
    await until('two are worked at', () => releases.length === 2)
    await until('all are answered', () => {
      for (const release of releases.splice(0, 1)) release()
      return begun.length === 6 && working === 0
    })
    expect(new Set(begun).size).toBe(6)
    expect(most).toBe(2)
    stop.abort()
    await serving
  }, 30_000)

  test('end with what they are told once their session is removed', async () => {
    await room.agent.session('removed').open()
    const failed: unknown[] = []
    const options = { agent: 'answerer', onError: (error: unknown) => failed.push(error) }
    const serving = room
      .another()
      .session('removed')
      .serve(options, (run) => run.text('Yes.'))
    const outcome = serving.catch((error: unknown) => error)
    await room.say('removed', 'Anybody?')
    await until('it is answered', async () => {
      const { runs } = await room.ask('GET', '/sessions/removed/runs?status=over')
      return (runs as unknown[]).length === 1
    })
    const { url, key } = room.server
    const headers = { authorization: `Bearer ${key}` }
    await fetch(`${url}/v1/sessions/removed`, { method: 'DELETE', headers })
    expect(await outcome).toMatchObject({ name: 'AgentError', code: 'session_not_found' })
    expect(failed).toEqual([])
  })

  test('serve a session that is not there yet once it is, and ask for it less and less often', async () => {
    const pauses: number[] = []
    const clock: Clock = {
      now: () => Date.now(),
      after: (ms, run) => {
        if (ms === REQUEST_MS) return systemClock.after(ms, run)
        pauses.push(ms)
        return systemClock.after(0, run)
      },
    }
    const failed: unknown[] = []
    const stop = new AbortController()
    const options = {
      agent: 'answerer',
      signal: stop.signal,
      onError: (error: unknown) => failed.push(error),
    }
    const hasty = room.another({ clock, random: () => 0.999 }).session('later')
    const asking = hasty.serve(options, () => undefined)
    await until('it has asked often', () => failed.length > 12)
    stop.abort()
    await asking
    expect(failed[0]).toMatchObject({ code: 'session_not_found' })
    expect(pauses.slice(0, 3)).toEqual([99, 199, 399])
    expect(pauses.slice(9, 12)).toEqual([29_970, 29_970, 29_970])

    failed.length = 0
    const serving = new AbortController()
    const served = room
      .another()
      .session('later')
      .serve({ ...options, signal: serving.signal }, (run) => run.text('Yes.'))
    await until('it has asked', () => failed.length > 0)
    await room.agent.session('later').open()
    await room.say('later', 'Anybody?')
    await until('it is answered', async () => (await room.answers('later')).length === 1)
    serving.abort()
    await served
  })

  test('say on the console why they cannot, and what a run threw, where nobody else is told', async () => {
    const told = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    onTestFinished(() => told.mockRestore())
    const stop = new AbortController()
    const options = { agent: 'answerer', signal: stop.signal }
    const serving = room
      .another()
      .session('untold')
      .serve(options, () => {
        throw new Error('a mistake of mine')
      })
    await until('it has asked', () => told.mock.calls.length > 0)
    expect(told.mock.calls[0]).toEqual([
      'unable to serve the session untold:',
      expect.objectContaining({
        code: 'session_not_found',
        facts: expect.objectContaining({
          next: expect.stringContaining('Create it first with PUT') as string,
        }) as unknown,
      }),
    ])
    await room.agent.session('untold').open()
    await room.say('untold', 'Anybody?')
    await until('it has failed', () =>
      told.mock.calls.some(([, error]) => String(error) === 'Error: a mistake of mine'),
    )
    stop.abort()
    await serving
  })

  test.each<[string, () => unknown]>([
    ['rejects', () => Promise.reject(new Error('no log'))],
    [
      'throws',
      () => {
        throw new Error('no log')
      },
    ],
  ])(
    'go on where what they tell an error to %s, and say both on the console',
    async (how, fails) => {
      const told = vi.spyOn(console, 'error').mockImplementation(() => undefined)
      onTestFinished(() => told.mockRestore())
      const session = room.agent.session(`deaf-${how}`)
      await session.open()
      const stop = new AbortController()
      let acts = 0
      const serving = session.serve(
        { agent: 'answerer', signal: stop.signal, onError: fails },
        async (run) => {
          if (++acts === 1) throw new Error('a mistake of mine')
          await run.text('Yes.')
        },
      )
      await room.say(session.id, 'one')
      await until('it has failed', () => acts > 0)
      await room.say(session.id, 'two')
      await until('it is answered', async () => (await room.answers(session.id)).length === 1)
      stop.abort()
      await serving
      expect(told.mock.calls.map(([, error]) => String(error))).toEqual([
        'Error: a mistake of mine',
        'Error: no log',
      ])
    },
  )

  test('take over what a process that died had begun [R6]', async () => {
    await room.agent.session('died').open()
    await room.say('died', 'a hard one')
    let dead = false
    const dying: Fetch = (url, init) =>
      dead ? Promise.reject(new TypeError('fetch failed')) : fetch(url, init)
    const options = { agent: 'answerer', leaseMs: 5000 }
    const first = room.another({ fetch: dying, retryForMs: 0 })
    const working = first.session('died').serve(options, async (run) => {
      await run.text('I begin and')
      await run.flush()
      dead = true
      await new Promise(() => undefined)
    })
    await until('it is dead', () => dead)
    // The one comes soon after it has heard of the loss, the other late.
    let looks = 0
    const counting: Fetch = (url, init) => {
      if (url.endsWith('/runs') && init.method === 'GET') looks++
      return fetch(url, init)
    }
    const soon = room.another({ random: () => 0.05 })
    const late = room.another({ random: () => 0.9, fetch: counting })
    const serving = [soon, late].map((agent) =>
      agent.session('died').serve(options, async (run) => {
        expect(run.resumed).toBe(true)
        const before = looks
        await until('the other has looked, and left it alone', () => looks > before)
        await run.text('I finish.')
      }),
    )
    await until('it is answered', async () => {
      const { runs } = await room.ask('GET', '/sessions/died/runs')
      return (runs as { status: string }[])[0]?.status === 'finished'
    })
    const taken = (await room.events('died')).filter(({ type }) => type === 'run.resumed')
    expect(taken).toHaveLength(1)
    expect(await room.answers('died')).toEqual(['I finish.'])
    await Promise.all([soon.close(), late.close()])
    await Promise.all(serving)
    await first.close()
    void working
  }, 30_000)

  test('give a run up that was lost in too many hands, and say so, rather than lose all processes to it', async () => {
    const [poison, hard] = await Promise.all([lostRun('poison', 5), lostRun('hard', 2)])
    const errors: unknown[] = []
    const acts: string[] = []
    const options = { agent: 'answerer', onError: (error: unknown) => errors.push(error) }
    const agent = room.another()
    const serving = ['poison', 'hard'].map((id) =>
      agent.session(id).serve(options, (run) => void acts.push(run.id)),
    )
    await until('both are over', async () => {
      const statuses = await Promise.all([statusOf('poison', poison), statusOf('hard', hard)])
      return statuses.join() === 'failed,finished'
    })
    expect(acts).toEqual([hard])
    const code = 'given_up'
    const { error } = await room.ask('GET', `/sessions/poison/runs/${poison}`)
    expect(error).toMatchObject({ code, message: expect.stringContaining('taken over 5 times') })
    await until('it is told', () => errors.length > 0)
    expect(errors).toMatchObject([{ code, facts: { run: poison, adoptions: 5 } }])
    // What it wrote is not taken back.
    expect(await room.answers('poison')).toEqual(['so far'])
    await agent.close()
    await Promise.all(serving)
  }, 30_000)

  test('count by the run itself: in a session of many runs its epoch begins higher', async () => {
    const run = await lostRun('old', 2)
    // As after some ten thousand runs.
    const raised: Fetch = async (url, init) => {
      const response = await fetch(url, init)
      if (init.method !== 'GET') return response
      const text = await response.text()
      return new Response(text.replaceAll(/"epoch":(\d+)/g, (_, epoch) => `"epoch":${+epoch + 9}`))
    }
    const agent = room.another({ fetch: raised })
    const serving = agent.session('old').serve({ agent: 'answerer', maxAdoptions: 3 }, () => 'done')
    await until('it is over', async () => (await statusOf('old', run)) === 'finished')
    await agent.close()
    await serving
  }, 30_000)

  /** A run that so many processes have taken over, and the last one has lost. */
  async function lostRun(id: string, adoptions: number): Promise<string> {
    await room.agent.session(id).open()
    const runs = `/sessions/${id}/runs`
    const started = {
      run: `${id}-run`,
      agent: 'answerer',
      leaseMs: 5000,
      onThrow: 'leave',
    } as const
    const { run } = await room.agent
      .session(id)
      .run(started, async (held) => {
        await held.text('so far')
        throw new Error('dies')
      })
      .catch(() => started)
    for (let n = 0; n < adoptions; n++) await room.ask('POST', `${runs}/${run}/adopt`, {})
    await until('it is lost', async () => (await statusOf(id, run)) === 'lost')
    return run
  }

  async function statusOf(id: string, run: string): Promise<unknown> {
    return (await room.ask('GET', `/sessions/${id}/runs/${run}`))['status']
  }
})
