import { Load } from '../lib/load.ts'
import { forgetPeakRss, peakRssBytes, rssBytes } from '../lib/proc.ts'
import { sleep } from '../lib/processes.ts'
import { named, type Context, type Scenario } from '../lib/scenario.ts'
import { startOwn, TOKEN_SECRET, type ServerProcess, type StoreKind } from '../lib/servers.ts'
import type { StormResult } from '../load/storm.ts'

const UNIT = 'sockets/s'
const BEHIND = 100
/** An event of the load's as it is stored. */
const STORED_BYTES = 370
const STORES: readonly StoreKind[] = ['sqlite', 'redis']
/** How many sockets a session has. */
const SPREADS = [
  { name: '100 a session', socketsEach: 100 },
  { name: 'each its own session', socketsEach: 1 },
] as const
/** Those who stay: agents that publish, and a socket for each. */
const OTHERS = { sessions: 50, socketsEach: 1, perSecondEach: 10 }
const WITHIN_MS = 60_000
const HANDSHAKES = 'ceiling: bare ws, tokens checked'
const CATCH_UPS = 'ceiling: bare ws, tokens checked, one frame of 100 events to each'

let turn = 0

/** All clients of a node lose their sockets, and come back to it at once. */
export const reconnectStorm: Scenario = {
  title: 'Reconnect storm: sockets that come back all at once',
  async run(context) {
    const sockets = context.quick ? 1000 : 10_000
    const others = new Load()
    try {
      const sides = await prepare(context, sockets)
      const handshakes = await startCeiling(context, 0)
      const catchUps = await startCeiling(context, BEHIND)
      await context.repeat(async () => {
        await measureCeiling(context, HANDSHAKES, handshakes, sockets, 0)
        await measureCeiling(context, CATCH_UPS, catchUps, sockets, BEHIND)
        for (const side of sides) await measure(context, side, sockets, others)
      })
      judge(context, sides)
      context.notes.push(
        `${sockets.toLocaleString('en-US')} sockets, ${BEHIND} events behind each; a token of its own for each, in every repetition a new one. A socket is back once it has the last event that it missed; figures are of all sockets over the time until the last ` +
          `one is back. Others: ${OTHERS.sessions} agents with ${OTHERS.perSecondEach} tokens a second each on the same node, a socket for each, from a load process of their own; from when a token is due until its socket has it.`,
      )
    } finally {
      await others.stop()
    }
  },
}

interface Side {
  readonly name: string
  readonly server: ServerProcess
  readonly withRedis: boolean
  readonly prefix: string
  readonly positions: readonly string[]
}

async function prepare(context: Context, sockets: number): Promise<Side[]> {
  const sides: Side[] = []
  for (const store of STORES) {
    const server = await context.heldline({ store })
    for (const [i, { name, socketsEach }] of SPREADS.entries()) {
      const prefix = `storm-${i}-`
      const order = { port: server.port, prefix, sessions: sockets / socketsEach, behind: BEHIND }
      const positions = await context.load.run('fallBehind', order)
      const withRedis = store === 'redis'
      sides.push({ name: `Heldline ${store}, ${name}`, server, withRedis, prefix, positions })
    }
  }
  return sides
}

function startCeiling(context: Context, behind: number): Promise<ServerProcess> {
  const env = { SECRET: TOKEN_SECRET, EVENTS: String(behind), BYTES: String(STORED_BYTES) }
  return context.keep(startOwn('ceilings/checked-ws.ts', 'bare', env))
}

async function measureCeiling(
  context: Context,
  name: string,
  server: ServerProcess,
  sockets: number,
  behind: number,
): Promise<void> {
  const done = await blow(context, { server, sockets, behind, positions: ['e.0.--------'] })
  context.add(name, done.backPerSecond, UNIT, named(['server'], done.cores))
  context.add(`${name}, server CPU a socket`, done.cpuUs[0] ?? 0, 'µs')
}

async function measure(context: Context, side: Side, sockets: number, others: Load): Promise<void> {
  const { name, server } = side
  await others.run('talkOn', { target: server.target, ...OTHERS, prefix: `others-${turn++}-` })
  await sleep(1000)
  await others.run('listen')
  await sleep(2000)
  const quiet = await others.run('hush')
  await others.run('listen')
  const before = rssBytes(server.pid)
  forgetPeakRss(server.pid)
  const done = await blow(context, { ...side, sockets, behind: BEHIND })
  const grown = (peakRssBytes(server.pid) - before) / 2 ** 20
  const meanwhile = await others.run('hush')
  await others.run('endTalk')
  const names = ['server', ...(side.withRedis ? ['redis'] : [])]
  context.add(name, done.backPerSecond, UNIT, named(names, done.cores))
  context.add(`${name}, let in`, done.openPerSecond, UNIT)
  context.add(`${name}, server CPU a socket`, done.cpuUs[0] ?? 0, 'µs')
  context.add(`${name}, knocked again`, done.again, 'times')
  context.add(`${name}, memory grown at most`, grown, 'MB')
  context.add(`${name}, half of them back`, done.halfMs, 'ms')
  context.add(`${name}, others’ p50 meanwhile`, meanwhile.p50Ms, 'ms')
  context.add(`${name}, others’ p99 meanwhile`, meanwhile.p99Ms, 'ms')
  context.add(`${name}, others’ p99 before`, quiet.p99Ms, 'ms')
}

interface Blow {
  readonly server: ServerProcess
  readonly sockets: number
  readonly behind: number
  readonly prefix?: string
  readonly positions: readonly string[]
  readonly withRedis?: boolean
}

async function blow(context: Context, what: Blow): Promise<StormResult> {
  const { server, sockets, behind, prefix = '', positions, withRedis = false } = what
  const done = await context.load.run('storm', {
    target: server.target,
    prefix,
    positions,
    sockets,
    behind,
    secret: TOKEN_SECRET,
    pids: [server.pid, ...(withRedis ? [context.redis.pid] : [])],
    withinMs: WITHIN_MS,
  })
  // What the loss of all these sockets leaves to do is not the next storm's.
  await sleep(context.quick ? 300 : 2000)
  return done
}

function judge(context: Context, sides: readonly Side[]): void {
  for (const { name } of sides) {
    context.ratio(name, HANDSHAKES, 0.6)
    context.ratio(name, CATCH_UPS, null)
    context.ratio(`${name}, let in`, HANDSHAKES, null)
    const cpu = 'server CPU a socket'
    context.ratio(`${name}, ${cpu}`, `${CATCH_UPS}, ${cpu}`, null)
    const p99 = `${name}, others’ p99 meanwhile`
    context.limit(p99, context.median(p99), 250, 'ms')
  }
}
