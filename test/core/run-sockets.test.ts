import { describe, expect, test } from 'vitest'
import { FIELD } from '../../src/core/record.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import type { FakeSocket } from '../support/sim-socket.ts'
import { agentAt, begun, delta, open } from './run-kit.ts'
import { drafted, grant, SESSION, World } from './world.ts'

/** How late the sweeper may look: a second, and a fifth of it. */
const SWEEP = 1300
const AGENT = grant({ subject: 'key:agent', kind: 'agent' })

/** An agent with a run, and sockets that beat for it. */
async function opened(world = new World()) {
  const kit = await open(world)
  const { clock, node } = kit
  const connect = async (at = node, rights = AGENT): Promise<FakeSocket> => {
    const socket = at.connect(rights)
    await clock.settle()
    return socket
  }
  const beatOver = async (socket: FakeSocket, epoch = 1, run = 'r1') => {
    const ref = socket.ask({ op: 'beat', session: SESSION, run, epoch })
    await clock.settle()
    const answers = socket.answers(ref)
    expect(answers).toHaveLength(1)
    return answers[0]
  }
  const drop = async (socket: FakeSocket): Promise<void> => {
    socket.drop()
    await clock.settle()
  }
  return { ...kit, connect, beatOver, drop }
}

const BEGUN = 'run.started'
const STALLED = 'run.status stalled'

describe('a beat over a socket [P-10.12]', () => {
  test('is a sign of life, and is answered like a heartbeat', async () => {
    const { start, connect, beatOver, clock, story } = await opened()
    await start()
    const socket = await connect()
    for (let i = 0; i < 10; i++) {
      await clock.advance(10_000)
      expect(await beatOver(socket)).toMatchObject({
        type: 'ok',
        run: { run: 'r1', live: true, status: 'thinking', inputs: 0, leaseMs: 25_000 },
      })
    }
    expect(await story()).toEqual([BEGUN])
  })

  test('tells of the end of the run, and is then about nothing any more', async () => {
    const { start, connect, beatOver, cancel, drop, story, status } = await opened()
    await start()
    const socket = await connect()
    await beatOver(socket)
    expect(socket.connection.beaten.size).toBe(1)
    await cancel()
    expect(await beatOver(socket)).toMatchObject({ run: { live: false, status: 'cancelled' } })
    expect(socket.connection.beaten.size).toBe(0)
    await drop(socket)
    expect([await status(), await story()]).toEqual(['1 cancelled', [BEGUN, 'run.cancelled']])
  })

  test('needs the right to publish, a run, and its epoch', async () => {
    const { start, adopt, connect, beatOver, node } = await opened()
    await start()
    await adopt('p2')
    const socket = await connect()
    expect(await beatOver(socket)).toMatchObject({ type: 'error', code: 'run_fenced' })
    expect(await beatOver(socket, 3)).toMatchObject({ code: 'invalid_request' })
    expect(await beatOver(socket, 1, 'r9')).toMatchObject({ code: 'run_not_found' })
    const person = await connect(node, grant({ capabilities: new Set(['subscribe', 'send']) }))
    expect(await beatOver(person, 2)).toMatchObject({ code: 'forbidden' })
    expect(socket.connection.beaten.size).toBe(0)
  })

  test('is remembered for a hundred runs of a socket; the others have their lease', async () => {
    const { start, connect, beatOver, drop, status, cancel, clock } = await opened()
    const socket = await connect()
    for (let i = 0; i <= 100; i++) {
      if (i === 100) await cancel(undefined, 'r50')
      await start({ run: `r${i}` })
      await beatOver(socket, 1, `r${i}`)
      await clock.advance(20)
    }
    expect(socket.connection.beaten.size).toBe(100)
    await drop(socket)
    expect([await status('r0'), await status('r1'), await status('r100')]).toEqual([
      '1 thinking',
      '1 stalled',
      '1 stalled',
    ])
  })
})

describe('an agent whose socket is lost [P-10.12] [R5]', () => {
  test('is told as stalled at once, and as lost within five seconds', async () => {
    const { world, start, append, connect, beatOver, drop, clock, story, last } = await opened()
    await start()
    await append([begun('a'), delta('a')])
    const socket = await connect()
    await beatOver(socket)
    await append([delta('a')])
    const at = clock.now()
    await drop(socket)
    expect((await story()).at(-1)).toBe(STALLED)
    await clock.advance(2900)
    expect((await story()).at(-1)).toBe(STALLED)
    await clock.advance(100 + SWEEP)
    expect((await story()).slice(-2)).toEqual([STALLED, 'run.lost'])
    const lost = await last('run.lost')
    expect(lost).toMatchObject({ by: { subject: 'server', run: 'r1' }, data: { epoch: 1 } })
    expect((lost?.at ?? 0) - at).toBeLessThanOrEqual(5000)
    expect(await world.field(FIELD.runSocket('r1'))).toBeNull()
  })

  test.for(['another socket', 'HTTP', 'an append', 'another node'] as const)(
    'was gone for a moment only, where a sign of life comes by %s',
    async (way) => {
      const { world, start, append, beat, connect, beatOver, drop, clock, story } = await opened()
      await start()
      await drop(await connect().then(async (socket) => (await beatOver(socket), socket)))
      await clock.advance(2500)
      if (way === 'another socket') await beatOver(await connect())
      else if (way === 'HTTP') await beat()
      else if (way === 'an append') await append([drafted('x.a')])
      else await agentAt(world.node()).append([drafted('x.a')])
      await clock.advance(14_000)
      const told = (await story()).filter((word) => word !== 'x.a')
      expect(told).toEqual([BEGUN, STALLED, 'run.status thinking'])
    },
  )

  test('is there, where a newer socket beats for it, through whichever node', async () => {
    const { world, start, connect, beatOver, drop, clock, story } = await opened()
    await start()
    const old = await connect()
    await beatOver(old)
    const next = await connect(world.node())
    await beatOver(next)
    await drop(old)
    await clock.advance(10_000)
    expect(await story()).toEqual([BEGUN])
    await drop(next)
    expect(await story()).toEqual([BEGUN, STALLED])
  })

  test('has its lease alone once it beats over HTTP, however late the loss of its socket is noticed', async () => {
    const { world, start, beat, connect, beatOver, drop, clock, story } = await opened()
    await start()
    const socket = await connect()
    await beatOver(socket)
    await beat()
    expect(await world.field(FIELD.runSocket('r1'))).toBeNull()
    await drop(socket)
    await clock.advance(10_000)
    expect(await story()).toEqual([BEGUN])
    await clock.advance(15_000 + SWEEP + SWEEP)
    expect((await story()).slice(-2)).toEqual([STALLED, 'run.lost'])
  })

  test('has ended in order, where the socket was closed or the node told it to go', async () => {
    const { start, connect, beatOver, drop, clock, story } = await opened()
    await start()
    for (const code of [1000, 1001, 4000]) {
      const socket = await connect()
      await beatOver(socket)
      socket.close(code, 'by the agent')
      await clock.settle()
    }
    const ours = await connect()
    await beatOver(ours)
    ours.connection.close(1012, 'this node goes down')
    const told = await connect()
    await beatOver(told)
    told.connection.goaway('restart', 1000)
    await drop(told)
    await clock.advance(14_000)
    expect(await story()).toEqual([BEGUN])
  })

  test('that took no ping any more is lost like one that was cut', async () => {
    const { start, connect, beatOver, clock, story } = await opened()
    await start()
    const socket = await connect()
    await beatOver(socket)
    socket.connection.close(4408, 'no pong')
    await clock.settle()
    expect(await story()).toEqual([BEGUN, STALLED])
  })

  test('in the middle of a beat is lost after it', async () => {
    const { start, connect, beatOver, clock, story, drop } = await opened()
    await start()
    const socket = await connect()
    await beatOver(socket)
    for (let ticks = 0; ticks < 12; ticks++) {
      const next = await connect()
      next.ask({ op: 'beat', session: SESSION, run: 'r1', epoch: 1 })
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
      await drop(next)
      expect([ticks, (await story()).at(-1)]).toEqual([ticks, STALLED])
      await beatOver(socket)
    }
    await drop(socket)
    await clock.advance(3000 + SWEEP)
    expect((await story()).at(-1)).toBe('run.lost')
  })

  test('waits on, where its run waits for a person', async () => {
    const { start, suspend, resume, connect, beatOver, drop, clock, story } = await opened()
    await start()
    const socket = await connect()
    await beatOver(socket)
    await suspend()
    await drop(socket)
    await clock.advance(60 * 60_000)
    expect(await story()).toEqual([BEGUN, 'run.suspended'])
    await resume()
    await clock.advance(14_000)
    expect((await story()).at(-1)).toBe('run.resumed resumed')
  })

  test('has nothing to say any more where another process holds the run', async () => {
    const { start, adopt, connect, beatOver, drop, clock, story } = await opened()
    await start()
    const socket = await connect()
    await beatOver(socket)
    await adopt('p2')
    await drop(socket)
    await clock.advance(14_000)
    expect(await story()).toEqual([BEGUN, 'run.resumed adopted'])
  })

  test('is never given longer than its lease has left', async () => {
    const { start, connect, beatOver, drop, clock, status } = await opened()
    await start({ leaseMs: 5000 })
    const quick = await connect()
    await beatOver(quick)
    await drop(quick)
    await clock.advance(2000 + SWEEP)
    expect(await status()).toBe('1 lost')
    await start({ run: 'r2' })
    const slow = await connect()
    await beatOver(slow, 1, 'r2')
    await clock.advance(23_500)
    expect(await status('r2')).toBe('1 stalled')
    await drop(slow)
    await clock.advance(1500 + SWEEP + SWEEP)
    expect(await status('r2')).toBe('1 lost')
  })

  test('that was stalled long before is lost within five seconds, too, also where it had said so itself', async () => {
    const { start, connect, beatOver, report, drop, clock, story, beat } = await opened()
    await start({ leaseMs: 60_000 })
    const socket = await connect()
    await beatOver(socket)
    await report({ status: 'stalled' })
    await drop(socket)
    expect(await story()).toEqual([BEGUN, STALLED])
    await beat()
    expect((await story()).at(-1)).toBe('run.status thinking')
    const next = await connect()
    await beatOver(next)
    await clock.advance(36_000 + SWEEP)
    await drop(next)
    await clock.advance(3000 + SWEEP)
    expect((await story()).slice(-2)).toEqual([STALLED, 'run.lost'])
  })

  test('has its moment to come back, however far ahead of the store the clock of its node is', async () => {
    class StoreBehind extends World {
      override readonly store = new MemoryStore(this.signals, () => this.clock.now() - 3_600_000)
    }
    const { start, report, connect, beatOver, drop, clock, story } = await opened(new StoreBehind())
    await start()
    const socket = await connect()
    await beatOver(socket)
    await report({ status: 'stalled' })
    await drop(socket)
    await clock.advance(2500)
    expect(await story()).toEqual([BEGUN, STALLED])
    await clock.advance(500 + SWEEP)
    expect((await story()).at(-1)).toBe('run.lost')
  })
})
