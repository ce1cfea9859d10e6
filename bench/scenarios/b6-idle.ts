import { bareKeys } from '../ceilings/bare-keys.ts'
import { cpuMs, rssBytes } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import type { Context, Scenario } from '../lib/scenario.ts'
import { startOwn, startSocketIo, type ServerProcess } from '../lib/servers.ts'

const EVENTS_EACH = 20
/** Lets a server of Node be asked to collect its garbage, so that what is counted is what is kept. */
const COLLECT = ['--expose-gc', '--import', new URL('../lib/collect.ts', import.meta.url).href]

/** What it costs that nothing happens. */
export const atRest: Scenario = {
  title: 'At rest: sockets that wait, sessions that nobody follows',
  async run(context) {
    const sockets = context.quick ? 1000 : 10_000
    await context.repeat(async (repetition) => {
      await measureSockets(context, sockets, repetition)
    })
    const base = context.median('ceiling: bare ws, a socket')
    for (const what of SPREADS.map(({ name }) => `Heldline, a socket, ${name}`)) {
      const ours = context.median(what)
      if (base !== null && ours !== null) {
        context.limit(`${what}, above bare ws`, ours - base, 12, 'kB')
      }
      const cpu = `${what}, CPU`
      context.limit(cpu, context.median(cpu), 5, '% of a core')
    }
    await measureSessions(context, context.quick ? 2000 : 100_000)
  },
}

const SPREADS = [
  { name: 'all in one session', sessions: 1 },
  { name: 'each its own session', sessions: 0 },
] as const

async function measureSockets(
  context: Context,
  sockets: number,
  repetition: number,
): Promise<void> {
  const bare = await context.keep(startOwn('ceilings/idle-sockets.ts', 'bare', {}, COLLECT))
  await measureServer(context, bare, { name: 'ceiling: bare ws, a socket', sockets, sessions: 1 })
  for (const { name, sessions } of SPREADS) {
    const server = await context.heldline({ store: 'redis', nodeFlags: COLLECT })
    const count = sessions === 0 ? sockets : sessions
    const { port } = server
    const populate = { port, prefix: 'rest', from: 0, sessions: count, eventsEach: 1 }
    await context.load.run('populate', populate)
    await measureServer(context, server, {
      name: `Heldline, a socket, ${name}`,
      sockets,
      sessions: count,
      cpu: repetition === 0,
    })
    await context.redis.flush()
  }
  if (!context.options.peers) return
  const io = await context.keep(startSocketIo(context.redis, COLLECT))
  await measureServer(context, io, { name: 'Socket.IO, a socket', sockets, sessions: 1 })
}

interface Idle {
  readonly name: string
  readonly sockets: number
  readonly sessions: number
  readonly cpu?: boolean
}

async function measureServer(context: Context, server: ServerProcess, idle: Idle): Promise<void> {
  const { name, sockets, sessions, cpu = false } = idle
  const { target, pid } = server
  // A few first, so that what is loaded and compiled once is not counted.
  const few = { target, sockets: 50, sessions: 1, prefix: 'rest' }
  await context.load.run('hold', few)
  await context.load.run('release')
  const before = await settledRss(pid)
  const perSecond = await context.load.run('hold', { target, sockets, sessions, prefix: 'rest' })
  const after = await settledRss(pid)
  context.add(name, (after - before) / sockets / 1024, 'kB')
  context.add(`${name}, opened and attached`, perSecond, 'sockets/s')
  if (cpu) context.add(`${name}, CPU`, await restingCpu(context, pid), '% of a core')
  await context.load.run('release')
  await server.stop()
}

async function settledRss(pid: number): Promise<number> {
  await sleep(500)
  process.kill(pid, 'SIGUSR2')
  await sleep(1000)
  return rssBytes(pid)
}

/** Over a heartbeat's time, so that each socket has had one. */
async function restingCpu(context: Context, pid: number): Promise<number> {
  const ms = context.quick ? 3000 : 15_000
  const before = cpuMs(pid)
  await sleep(ms)
  return ((cpuMs(pid) - before) / ms) * 100
}

async function measureSessions(context: Context, sessions: number): Promise<void> {
  const { redis } = context
  const server = await context.heldline({ store: 'redis' })
  const client = redis.client()
  const { port } = server
  const warm = { port, prefix: 'warm', from: 0, sessions: 50, eventsEach: EVENTS_EACH }
  await context.load.run('populate', warm)
  const before = await redis.usedMemory()
  const order = { port, prefix: 'idle', from: 0, sessions, eventsEach: EVENTS_EACH }
  await context.load.run('populate', order)
  const ours = ((await redis.usedMemory()) - before) / sessions
  const ms = context.quick ? 3000 : 10_000
  const cpu = [server.pid, redis.pid].map(cpuMs)
  await sleep(ms)
  const [serverCpu = 0, redisCpu = 0] = [server.pid, redis.pid].map(
    (pid, i) => ((cpuMs(pid) - (cpu[i] ?? 0)) / ms) * 100,
  )
  const [log] = await client.keys('hl:*:l:idle7')
  const entries = log === undefined ? [] : await client.xrange(log, '-', '+')
  await server.stop()
  await redis.flush()
  const empty = await redis.usedMemory()
  const count = Math.min(sessions, 10_000)
  await bareKeys(
    client,
    count,
    entries.map(([, fields]) => fields[1] ?? ''),
  )
  const bare = ((await redis.usedMemory()) - empty) / count
  client.disconnect()
  const text = `${sessions.toLocaleString('en-US')} sessions of ${entries.length} events`
  context.add(`Heldline, ${text}, Redis a session`, ours / 1024, 'kB')
  context.add('ceiling: a bare stream of the same events', bare / 1024, 'kB')
  context.limit('Redis a session, beyond its stream', (ours - bare) / 1024, 6, 'kB')
  context.add(`Heldline, ${text}, server CPU`, serverCpu, '% of a core')
  context.add(`Heldline, ${text}, Redis CPU`, redisCpu, '% of a core')
  context.limit('CPU at rest, server', serverCpu, 2, '% of a core')
  context.limit('CPU at rest, Redis', redisCpu, 2, '% of a core')
}
