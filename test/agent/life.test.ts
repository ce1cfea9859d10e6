import { expect, test } from 'vitest'
import { createAgent, type Fetch, type Run } from '../../src/agent/index.ts'
import { aborted } from '../support/aborted.ts'
import { FakeClock } from '../support/fake-clock.ts'

type Answer = { readonly status?: number; readonly body: unknown }

/** An agent before a server that knows one run, under virtual time. Paths that it does not name are forbidden. */
function setup(answers: Readonly<Record<string, () => Answer | Promise<Answer>>> = {}) {
  const clock = new FakeClock()
  const asked: string[] = []
  const all: typeof answers = {
    runs: () => ({
      status: 201,
      body: { run: 'r1', epoch: 1, status: 'thinking', created: true, leaseMs: 25_000 },
    }),
    heartbeat: () => ({
      body: { run: 'r1', live: true, status: 'thinking', inputs: 0, leaseMs: 25_000 },
    }),
    finish: () => ({ body: { run: 'r1', status: 'finished' } }),
    ...answers,
  }
  const fetch: Fetch = async (url) => {
    const verb = new URL(url).pathname.split('/').at(-1) ?? ''
    asked.push(verb)
    const forbidden = { status: 403, body: { code: 'forbidden', retryable: false } }
    const { status = 200, body } = (await all[verb]?.()) ?? forbidden
    return Response.json(body, { status })
  }
  const agent = createAgent({
    url: 'http://x.test',
    apiKey: 'a:b',
    fetch,
    clock,
    random: () => 0.5,
  })
  const beats = (): number => asked.filter((verb) => verb === 'heartbeat').length
  return { clock, agent, asked, beats }
}

test('a run beats five times a lease, and no more once it is over; no timer is left [P-10.5]', async () => {
  const { clock, agent, beats } = setup()
  let end = (): void => undefined
  const working = agent.session('s').run({ run: 'r1' }, async () => {
    await new Promise<void>((resolve) => (end = resolve))
  })
  await clock.advance(25_000)
  expect(beats()).toBeGreaterThanOrEqual(5)
  expect(beats()).toBeLessThanOrEqual(6)
  end()
  expect(await clock.resolve(working)).toMatchObject({ status: 'finished' })
  const before = beats()
  await clock.advance(60_000)
  expect(beats()).toBe(before)
  expect(clock.timers).toBe(0)
})

test.each([
  ['cancelled', { body: { live: false, status: 'cancelled' } }],
  ['lost', { body: { live: false, status: 'lost' } }],
  ['fenced', { status: 403, body: { code: 'run_fenced', retryable: false } }],
])('a heartbeat that hears of it fires the signal: %s', async (status, answer) => {
  let over = false
  const alive = { body: { live: true, status: 'thinking' } }
  const { clock, agent, asked } = setup({ heartbeat: () => (over ? answer : alive) })
  let held: Run | null = null
  const working = agent.session('s').run({ run: 'r1' }, async (run) => {
    held = run
    await aborted(run.signal)
  })
  await clock.advance(1000)
  over = true
  await clock.advance(5000)
  expect(await clock.resolve(working)).toEqual({ started: true, run: 'r1', status })
  // Nothing more is said of a run that is not ours.
  expect(asked).not.toContain('finish')
  expect(held).toMatchObject({ signal: { aborted: true } })
  expect(clock.timers).toBe(0)
})

test.each([
  ['a heartbeat', 'heartbeat'],
  ['what it writes', 'events'],
])('a session that is removed ends the work of its agents, who hear of it by %s', async (_, by) => {
  let removed = false
  const gone = { status: 404, body: { code: 'session_not_found', retryable: false } }
  const alive = { body: { live: true, status: 'thinking' } }
  const { clock, agent } = setup({
    heartbeat: () => (removed && by === 'heartbeat' ? gone : alive),
    events: () => (removed ? gone : alive),
    finish: () => gone,
  })
  let heard: unknown = null
  const working = agent.session('s').run({ run: 'r1' }, async (run) => {
    if (by === 'events') void run.text('Hello')
    await aborted(run.signal)
    heard = run.signal.reason
    throw run.signal.reason
  })
  removed = true
  await expect(clock.resolve(working)).rejects.toMatchObject({ code: 'session_not_found' })
  expect(heard).toMatchObject({ code: 'session_not_found' })
  expect(clock.timers).toBe(0)
})

test('a heartbeat that is lost is none the worse: the next one follows', async () => {
  let lost = 0
  const busy = { status: 503, body: { code: 'overloaded', retryable: true } }
  const alive = { body: { live: true, status: 'thinking' } }
  const { clock, agent, beats } = setup({ heartbeat: () => (lost++ < 3 ? busy : alive) })
  let end = (): void => undefined
  const working = agent.session('s').run({ run: 'r1' }, async (run) => {
    await new Promise<void>((resolve) => (end = resolve))
    return run.signal.aborted
  })
  await clock.advance(30_000)
  expect(beats()).toBeGreaterThan(4)
  end()
  expect(await clock.resolve(working)).toMatchObject({ output: false })
})

test('an end whose answer is lost is said again, until it is known [P-10.7]', async () => {
  let tries = 0
  const { clock, agent } = setup({
    finish: () => {
      if (++tries < 4) throw new TypeError('terminated')
      return { body: { run: 'r1', status: 'finished' } }
    },
  })
  const working = agent.session('s').run({ run: 'r1' }, () => 'done')
  expect(await clock.resolve(working)).toMatchObject({ status: 'finished', output: 'done' })
  expect(tries).toBe(4)
  expect(clock.timers).toBe(0)
})

test('an output that is refused fails the run, rather than leave it to be lost [P-10.7]', async () => {
  const ends: unknown[] = []
  const { clock, agent } = setup({
    finish: () => {
      ends.push(null)
      return ends.length === 1
        ? { status: 413, body: { code: 'payload_too_large', retryable: false } }
        : { body: { run: 'r1', status: 'failed' } }
    },
  })
  const working = agent.session('s').run({ run: 'r1' }, () => 'x'.repeat(100_000))
  await expect(clock.resolve(working)).rejects.toMatchObject({ code: 'payload_too_large' })
  expect(ends).toHaveLength(2)
  expect(clock.timers).toBe(0)
})

const ring: Record<string, unknown> = {}
ring['self'] = ring

test.each([
  ['a BigInt', () => ({ rows: 5n }), /BigInt/],
  ['what holds itself', () => ring, /circular/],
])('an output that is no JSON fails the run at once, and says so: %s', async (_, act, reason) => {
  const { clock, agent, asked } = setup()
  const before = clock.now()
  const working = agent.session('s').run({ run: 'r1' }, act)
  await expect(clock.resolve(working)).rejects.toThrow(reason)
  expect(clock.now() - before).toBeLessThan(1000)
  // Once: that it has failed. What cannot be written was never sent.
  expect(asked.filter((verb) => verb === 'finish')).toHaveLength(1)
  expect(clock.timers).toBe(0)
})

test.each([
  ['no words', Object.create(null)],
  ['a message that is none', Object.assign(new Error(), { message: { status: 500 } })],
])('what is thrown fails the run, also where it has %s', async (_, thrown: unknown) => {
  const { clock, agent, asked } = setup()
  const working = agent.session('s').run({ run: 'r1' }, () => {
    throw thrown
  })
  const heard = await clock.resolve(working.catch((error: unknown) => error))
  expect(heard).toBe(thrown)
  expect(asked.filter((verb) => verb === 'finish')).toHaveLength(1)
})

test('a process that was frozen in the middle of a request asks again: its patience begins with the first failure', async () => {
  let tries = 0
  const { clock, agent } = setup({
    finish: async () => {
      if (++tries > 1) return { body: { run: 'r1', status: 'finished' } }
      await clock.sleep(1000)
      throw new TypeError('terminated')
    },
  })
  const working = agent.session('s').run({ run: 'r1', leaseMs: 900_000 }, () => 'done')
  await clock.settle()
  await clock.stall(300_000)
  expect(await clock.resolve(working)).toMatchObject({ status: 'finished', output: 'done' })
  expect(tries).toBe(2)
})

test('a run outlives that whoever gives tokens is away when one is over: what it wrote waits [P-6.4]', async () => {
  const clock = new FakeClock()
  let asked = 0
  const token = (): string => {
    // Away for three attempts after the first.
    if (++asked > 1 && asked < 5) throw new TypeError('fetch failed')
    return `t${asked}`
  }
  const bodies: string[] = []
  const fetch: Fetch = (url, init) => {
    const verb = new URL(url).pathname.split('/').at(-1)
    const started = { run: 'r1', epoch: 1, status: 'thinking', created: true, leaseMs: 25_000 }
    const answer = { ...started, durability: 'fsync' }
    const { authorization } = init.headers as Record<string, string>
    if (verb === 'events' && authorization === 'Bearer t1') {
      return Promise.resolve(Response.json({ code: 'invalid_token' }, { status: 401 }))
    }
    if (verb === 'events') bodies.push(init.body as string)
    return Promise.resolve(Response.json(answer))
  }
  const agent = createAgent({ url: 'http://x.test', token, fetch, clock, random: () => 0.5 })
  const working = agent.session('s').run({ run: 'r1' }, (run) => run.text('Hello'))
  expect(await clock.resolve(working)).toMatchObject({ status: 'finished' })
  expect(bodies.join()).toContain('Hello')
  expect(asked).toBe(5)
})

test('where no token was to be had from the beginning, the start says so at once', async () => {
  const clock = new FakeClock()
  const fetch: Fetch = () => Promise.reject(new Error('nothing is to be asked'))
  const token = (): string => {
    throw new TypeError('there is no such secret')
  }
  const agent = createAgent({ url: 'http://x.test', token, fetch, clock })
  await expect(agent.session('s').start()).rejects.toThrow('there is no such secret')
  expect(clock.timers).toBe(0)
})

test('what nobody waits for does no harm where the run is over meanwhile', async () => {
  let over = false
  const refused = {
    status: 409,
    body: { code: 'run_over', runStatus: 'cancelled', retryable: false },
  }
  const { clock, agent, asked } = setup({
    status: () => refused,
    events: () => refused,
    heartbeat: () => ({ body: { live: !over, status: over ? 'cancelled' : 'thinking' } }),
  })
  const working = agent.session('s').run({ run: 'r1' }, async (run) => {
    void run.text('Hello')
    void run.message()
    void run.status({ step: 'search' })
    over = true
    await aborted(run.signal)
    void run.message()
    void run.status({ step: 'answer' })
  })
  // What nobody handles fails the test, as it ends a process.
  expect(await clock.resolve(working)).toMatchObject({ status: 'cancelled' })
  expect(asked).toContain('status')
  expect(clock.timers).toBe(0)
})

test('an agent that does not look at its signal holds up nobody who asks next', async () => {
  let status = 'thinking'
  let waiting = 'i1'
  const listed = { mode: 'queue', message: null, data: null, by: 'user', run: null }
  const begun = { epoch: 1, status: 'thinking', created: true, leaseMs: 25_000, runs: [] }
  const { clock, agent } = setup({
    inputs: () => ({ body: { inputs: [{ id: waiting, ...listed }] } }),
    // Whoever starts is told that it runs, and whoever lists that none does.
    runs: () => ({ status: 201, body: { run: `of-${waiting}`, ...begun } }),
    heartbeat: () => ({ body: { live: status === 'thinking', status } }),
  })
  const answered: string[] = []
  const ended = new AbortController()
  const serving = agent.session('s').serve({ agent: 'a', signal: ended.signal }, async (run) => {
    answered.push(run.id)
    if (run.id === 'of-i1') await new Promise(() => undefined)
    ended.abort()
  })
  await clock.advance(10_000)
  expect(answered).toEqual(['of-i1'])
  waiting = 'i2'
  await clock.advance(10_000)
  expect(answered).toEqual(['of-i1'])
  status = 'cancelled'
  await clock.resolve(serving)
  expect(answered).toEqual(['of-i1', 'of-i2'])
  expect(clock.timers).toBe(0)
})

test('who waits for an answer waits on while the server is away, for longer than a request is tried [P-11.5]', async () => {
  let away = true
  const { clock, agent } = setup({
    questions: () => ({ status: 201, body: { question: 'q1', status: 'open' } }),
    q1: () => {
      if (away) throw new TypeError('fetch failed')
      return { body: { question: 'q1', status: 'answered', answer: 'yes' } }
    },
  })
  const working = agent
    .session('s')
    .run({ run: 'r1' }, (run) => run.ask({ question: 'q1', prompt: 'Shall I?' }))
  await clock.advance(600_000)
  away = false
  expect(await clock.resolve(working)).toMatchObject({ status: 'finished', output: 'yes' })
  expect(clock.timers).toBe(0)
})

test('a run that its agent ends does not take its own end for somebody else’s', async () => {
  let over = false
  const { clock, agent, beats } = setup({
    heartbeat: () => ({ body: { live: !over, status: over ? 'finished' : 'thinking' } }),
    finish: async () => {
      over = true
      await clock.sleep(15_000)
      return { body: { run: 'r1', status: 'finished' } }
    },
  })
  let signal: AbortSignal | null = null
  const working = agent.session('s').run({ run: 'r1' }, (run) => {
    signal = run.signal
    return 'done'
  })
  expect(await clock.resolve(working)).toMatchObject({ status: 'finished', output: 'done' })
  expect(beats()).toBeGreaterThan(2)
  expect(signal).toMatchObject({ aborted: false })
  expect(clock.timers).toBe(0)
})

test('whoever closes does not wait for a server that is away: a few seconds, and the lease tells', async () => {
  let away = false
  const { clock, agent } = setup({
    finish: () => {
      if (away) throw new TypeError('fetch failed')
      return { body: { run: 'r1', status: 'failed' } }
    },
  })
  const working = agent.session('s').run({ run: 'r1' }, async (run) => {
    await aborted(run.signal)
  })
  working.catch(() => undefined)
  await clock.advance(1000)
  away = true
  const before = clock.now()
  await clock.resolve(agent.close())
  expect(clock.now() - before).toBeLessThanOrEqual(5000)
  await clock.resolve(working.catch(() => undefined))
  expect(clock.timers).toBe(0)
})
