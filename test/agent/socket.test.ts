import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { createAgent, type AgentOptions, type Fetch, type Run } from '../../src/agent/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { scriptedSockets, ScriptedSocket, type Frame } from './support/scripted-socket.ts'

// Loaded when the first run wants it: here before, so that virtual time need not wait for the disk.
beforeAll(() => import('../../src/agent/socket/beat-socket.ts'))

afterEach(() => vi.unstubAllGlobals())

const ALIVE: Frame = { live: true, status: 'thinking', inputs: 0, leaseMs: 25_000 }

/** An agent before a server that grants whatever is asked over HTTP, and whose sockets the test answers. */
function setup(change: (options: AgentOptions) => AgentOptions = (same) => same, leaseMs = 25_000) {
  const clock = new FakeClock()
  const asked: string[] = []
  const sockets = scriptedSockets()
  const fetch: Fetch = (url, init) => {
    const verb = new URL(url).pathname.split('/').at(-1) ?? ''
    asked.push(verb)
    if (verb === 'runs') {
      const { run } = JSON.parse(init.body as string) as { run: string }
      const body = { run, epoch: 1, status: 'thinking', created: true, leaseMs }
      return Promise.resolve(Response.json(body, { status: 201 }))
    }
    if (verb === 'heartbeat') return Promise.resolve(Response.json(ALIVE))
    if (verb === 'finish') return Promise.resolve(Response.json({ status: 'finished' }))
    return Promise.resolve(Response.json({ code: 'forbidden', retryable: false }, { status: 403 }))
  }
  const given = { url: 'https://x.test/held/', apiKey: 'a:b', fetch, socket: sockets.WebSocket }
  const agent = createAgent(change({ ...given, clock, random: () => 0.5 }))
  const overHttp = (): number => asked.filter((verb) => verb === 'heartbeat').length
  const start = async (run = 'r1'): Promise<Run> => {
    const begun = await clock.resolve(agent.session('s').start({ run }))
    await clock.settle()
    if (begun === null) throw new Error('the run is not there')
    return begun
  }
  const connected = async (): Promise<ScriptedSocket> => {
    const socket = sockets.last()
    socket.open()
    await clock.settle()
    socket.tell({ type: 'welcome', connection: 'c', heartbeatMs: 15_000 })
    await clock.settle()
    return socket
  }
  return { clock, agent, asked, sockets, overHttp, start, connected }
}

function fail(): never {
  throw new Error('there is no network')
}

/** Answers every beat that comes, for so long. */
async function answering(clock: FakeClock, socket: ScriptedSocket, ms: number): Promise<void> {
  let answered = 0
  for (let passed = 0; passed < ms; passed += 100) {
    await clock.advance(100)
    for (const beat of socket.beats.slice(answered)) socket.answer(beat, ALIVE)
    answered = socket.beats.length
    await clock.settle()
  }
}

describe('an agent that beats over a socket [P-10.12]', () => {
  test('opens one for all of its runs, shows its key in the first frame alone, and closes it with the last of them [P-6.3]', async () => {
    const { clock, sockets, overHttp, start, connected } = setup()
    const first = await start('r1')
    const second = await start('r2')
    expect(sockets.all).toHaveLength(1)
    expect(sockets.last()).toMatchObject({
      url: 'wss://x.test/held/v1/connect',
      protocols: ['heldline.v1'],
    })
    const before = overHttp()
    const socket = await connected()
    expect(socket.sent[0]).toEqual({ op: 'auth', ref: 'auth', token: 'a:b' })
    expect(socket.beats).toMatchObject([
      { op: 'beat', session: 's', run: 'r1', epoch: 1 },
      { op: 'beat', session: 's', run: 'r2', epoch: 1 },
    ])
    await answering(clock, socket, 25_000)
    // Five times a lease, both of them, and no more over HTTP.
    expect(socket.beats.length).toBeGreaterThanOrEqual(10)
    expect(overHttp()).toBe(before)
    await clock.resolve(first.finish())
    expect(socket.closedWith).toBeNull()
    await clock.resolve(second.finish())
    expect(socket.closedWith).toBe(1000)
    expect(clock.timers).toBe(0)
    // The next one wants it again.
    const third = await start('r3')
    expect(sockets.all).toHaveLength(2)
    await clock.resolve(third.finish())
    expect(clock.timers).toBe(0)
  })

  test.each([
    ['cancelled', 'run_over'],
    ['lost', 'run_over'],
    ['fenced', 'run_fenced'],
  ])('hears from the answer that its run is %s', async (status, code) => {
    const { clock, start, connected, asked } = setup()
    const run = await start()
    const socket = await connected()
    const [beat] = socket.beats
    if (status === 'fenced') socket.refuse(beat, code)
    else socket.answer(beat, { ...ALIVE, live: false, status })
    await clock.settle()
    expect(run.signal.reason).toMatchObject({ code })
    expect(socket.closedWith).toBe(1000)
    expect(asked).not.toContain('finish')
    expect(clock.timers).toBe(0)
  })

  test('hears from the answer how many inputs wait', async () => {
    const { clock, start, connected } = setup()
    const run = await start()
    const socket = await connected()
    socket.answer(socket.beats[0], { ...ALIVE, inputs: 3 })
    await clock.settle()
    expect(run.waitingInputs).toBe(3)
  })

  test('connects and beats again at once where it is lost, and over HTTP while it cannot', async () => {
    const { clock, sockets, start, connected, overHttp } = setup()
    const run = await start()
    const socket = await connected()
    await answering(clock, socket, 100)
    socket.lose()
    await clock.advance(100)
    expect(sockets.all).toHaveLength(2)
    const next = await connected()
    expect(next.beats).toHaveLength(1)
    await answering(clock, next, 100)
    const before = overHttp()
    next.lose()
    // Long before the loss of a socket is the loss of the agent.
    await clock.advance(1500)
    expect(sockets.all).toHaveLength(3)
    expect(overHttp()).toBe(before + 1)
    await clock.advance(60_000)
    expect(overHttp()).toBeGreaterThanOrEqual(before + 12)
    // Not ever more often, where no socket is let through.
    expect(sockets.all.length).toBeLessThan(15)
    const last = await connected()
    expect(last.beats).toHaveLength(1)
    expect(run.signal.aborted).toBe(false)
  })

  test('with many runs beats for a few at a time once it is open, and over HTTP not for all in one moment where it is lost', async () => {
    let draws = 0
    const { clock, start, connected, overHttp } = setup((options) => ({
      ...options,
      random: () => (draws++ % 10) / 10,
    }))
    const count = 120
    for (let n = 0; n < count; n++) await start(`r${n}`)
    const socket = await connected()
    const seen: number[] = []
    for (let passed = 0; passed < 4000; passed += 100) {
      for (const beat of socket.beats.slice(seen.at(-1) ?? 0)) socket.answer(beat, ALIVE)
      seen.push(socket.beats.length)
      await clock.advance(100)
    }
    // A socket may send 50 frames a second.
    for (const [at, sum] of seen.entries()) {
      expect(sum - (seen[at - 9] ?? 0)).toBeLessThanOrEqual(50)
    }
    expect(new Set(socket.beats.map(({ run }) => run)).size).toBe(count)

    const before = overHttp()
    socket.lose()
    const requests: number[] = []
    for (let passed = 0; passed < 2500; passed += 100) {
      await clock.advance(100)
      requests.push(overHttp() - before)
    }
    const each = requests.map((sum, at) => sum - (requests[at - 1] ?? 0))
    expect(Math.max(...each)).toBeLessThan(count / 2)
    // Before what is lost counts as lost.
    expect(requests.at(-1)).toBeGreaterThanOrEqual(count)
  })

  test('carries no more beats than it may: those of further runs go over HTTP, and none is left out', async () => {
    const { clock, start, connected, overHttp } = setup()
    const count = 400
    for (let n = 0; n < count; n++) await start(`r${n}`)
    const socket = await connected()
    await answering(clock, socket, 10_000)
    const before = { socket: socket.beats.length, http: overHttp() }
    for (let second = 0; second < 20; second++) {
      const sent = socket.beats.length
      await answering(clock, socket, 1000)
      expect(socket.beats.length - sent).toBeLessThanOrEqual(50)
    }
    const carried = socket.beats.length - before.socket
    const others = overHttp() - before.http
    // Four times each: every fifth of its lease.
    expect(carried + others).toBeGreaterThanOrEqual(4 * count)
    expect(carried).toBeGreaterThanOrEqual(count)
  })

  test('goes by what the server says that it takes', async () => {
    const { clock, start, sockets } = setup()
    for (let n = 0; n < 100; n++) await start(`r${n}`)
    const socket = sockets.last()
    socket.open()
    await clock.settle()
    socket.tell({ type: 'welcome', connection: 'c', limits: { framesPerSecond: 10 } })
    await answering(clock, socket, 10_000)
    expect(socket.beats.length).toBeGreaterThan(10)
    expect(socket.beats.length).toBeLessThanOrEqual(100)
  })

  test('beats once more where a heartbeat over HTTP was on its way as it opened: that would take the run back from it', async () => {
    let answerLate = (): void => undefined
    const { clock, start, connected } = setup(({ fetch, ...rest }) => ({
      ...rest,
      fetch: async (url, init) => {
        if (!url.endsWith('/heartbeat') || fetch === undefined) return fetch?.(url, init) ?? fail()
        await new Promise<void>((resolve) => (answerLate = resolve))
        return Response.json(ALIVE)
      },
    }))
    const run = await start()
    const socket = await connected()
    expect(socket.beats).toHaveLength(1)
    socket.answer(socket.beats[0], ALIVE)
    await clock.settle()
    answerLate()
    await clock.settle()
    expect(socket.beats).toHaveLength(2)
    socket.answer(socket.beats[1], ALIVE)
    await clock.settle()
    expect(socket.beats).toHaveLength(2)
    await clock.resolve(run.leave())
  })

  test('that is not answered goes elsewhere: the socket is dead without a word', async () => {
    const { clock, sockets, start, connected, overHttp } = setup()
    await start()
    const socket = await connected()
    const before = overHttp()
    await clock.advance(3100)
    expect(socket.closedWith).toBe(1000)
    expect(sockets.all).toHaveLength(2)
    await clock.advance(1000)
    expect(overHttp()).toBe(before + 1)
    // Words of the old one are nothing any more.
    socket.lose(4403)
    socket.answer(socket.beats[0], { ...ALIVE, live: false, status: 'lost' })
    const next = await connected()
    expect(next.beats).toHaveLength(1)
  })

  test('beats every ten seconds, however long its lease is', async () => {
    const { clock, start, connected } = setup((same) => same, 3_600_000)
    await start()
    const socket = await connected()
    await answering(clock, socket, 60_000)
    expect(socket.beats.length).toBeGreaterThanOrEqual(6)
    expect(socket.beats.length).toBeLessThanOrEqual(8)
  })

  test('goes to another node where its own goes down, after the time that it is given [P-4.12]', async () => {
    const { clock, sockets, start, connected } = setup()
    await start()
    const socket = await connected()
    await answering(clock, socket, 100)
    socket.tell({ type: 'goaway', reason: 'restart', afterMs: 1000 })
    await clock.advance(900)
    expect(sockets.all).toHaveLength(1)
    await clock.advance(200)
    expect(socket.closedWith).toBe(1000)
    expect(sockets.all).toHaveLength(2)
  })

  test('shows a new token over a new socket where the old one is over, or was refused [P-6.4] [P-7.1]', async () => {
    let count = 0
    const token = (): string => `t${++count}`
    const { clock, sockets, start, connected } = setup(({ apiKey: _key, ...rest }) => ({
      ...rest,
      token,
    }))
    const run = await start()
    const socket = await connected()
    socket.tell({ type: 'expiring', expiresAt: 0 })
    await answering(clock, socket, 4000)
    expect(sockets.all).toHaveLength(1)
    await clock.advance(2000)
    socket.refuse(socket.beats.at(-1), 'invalid_token')
    await clock.advance(100)
    expect(socket.closedWith).toBe(1000)
    const next = await connected()
    expect(next.beats).toHaveLength(1)
    next.lose(4401)
    await clock.advance(100)
    await connected()
    const shown = sockets.all.flatMap(({ sent }) => sent.flatMap(({ token: one }) => one ?? []))
    expect(shown).toEqual(['t1', 't2', 't3'])
    expect(run.signal.aborted).toBe(false)
  })

  test('shows no token that comes after its socket was closed', async () => {
    const late: ((token: string) => void)[] = []
    let count = 0
    const token = (): string | Promise<string> =>
      count++ === 0 ? 't1' : new Promise((resolve) => late.push(resolve))
    const { clock, sockets, start, connected } = setup(({ apiKey: _key, ...rest }) => ({
      ...rest,
      token,
    }))
    const run = await start()
    const socket = await connected()
    await answering(clock, socket, 100)
    socket.lose(4401)
    await clock.advance(100)
    const next = sockets.last()
    next.open()
    await clock.settle()
    expect(late).toHaveLength(1)
    await clock.resolve(run.leave())
    expect(next.closedWith).toBe(1000)
    late[0]?.('t2')
    await clock.settle()
    expect(next.sent).toEqual([])
  })

  test.each([4400, 4403, 4413, 1008])(
    'does not connect again where it is told not to: %i [P-7.1]',
    async (code) => {
      const { clock, sockets, start, overHttp } = setup()
      const run = await start()
      sockets.last().lose(code)
      await clock.advance(60_000)
      await clock.resolve(run.finish())
      await start('r2')
      expect(sockets.all).toHaveLength(1)
      expect(overHttp()).toBeGreaterThanOrEqual(11)
    },
  )

  test('passes over what is no frame', async () => {
    const { clock, sockets, start, connected } = setup()
    await start()
    const socket = await connected()
    socket.garbage()
    socket.tell({ type: 'heartbeat', at: 1, heads: {} })
    socket.tell({ type: 'ok', ref: 'of somebody else' })
    await clock.settle()
    expect([sockets.all.length, socket.closedWith]).toEqual([1, null])
  })

  test('a socket that cannot be made, or does not open, is as good as none', async () => {
    let made = 0
    class Forbidden extends ScriptedSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        made++
        throw new Error('not on this page')
      }
    }
    const { clock, start, overHttp } = setup((options) => ({ ...options, socket: Forbidden }))
    const run = await start()
    await clock.advance(30_000)
    expect(overHttp()).toBeGreaterThanOrEqual(6)
    expect(made).toBeGreaterThan(1)
    await clock.resolve(run.finish())
    expect(clock.timers).toBe(0)
  })
})

describe('an agent that is not told of sockets', () => {
  test('takes those of the runtime', async () => {
    const { clock, start, connected } = setup(({ fetch, socket, ...rest }) => {
      vi.stubGlobal('fetch', fetch)
      vi.stubGlobal('WebSocket', socket)
      return rest
    })
    const run = await start()
    expect((await connected()).beats).toHaveLength(1)
    await clock.resolve(run.finish())
  })

  test('has none where it was given a fetch, which is then its whole network; nor where it is told so', async () => {
    const given = setup(({ socket, ...rest }) => {
      vi.stubGlobal('WebSocket', socket)
      return rest
    })
    const told = setup((options) => ({ ...options, socket: false }))
    for (const { clock, start, overHttp, sockets } of [told, given]) {
      await start()
      await clock.advance(25_000)
      expect(overHttp()).toBeGreaterThanOrEqual(5)
      expect(sockets.all).toHaveLength(0)
    }
  })
})
