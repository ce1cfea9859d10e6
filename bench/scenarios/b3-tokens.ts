import { startCentrifuge } from '../lib/centrifuge.ts'
import type { LatencyParams } from '../load/latency.ts'
import { named, type Context, type Scenario } from '../lib/scenario.ts'
import { startOwn, startSocketIo, type ServerProcess, type StoreKind } from '../lib/servers.ts'

/** Where readers are, and where agents publish: one node, or two on one Redis. */
interface Side {
  readonly name: string
  readonly readers: ServerProcess
  readonly agents: ServerProcess
  readonly withRedis: boolean
}

interface Load {
  readonly sessions: number
  readonly socketsEach: number
  readonly perSecondEach: number
}

const MANY = 500
const LOADS: readonly Load[] = [
  { sessions: 100, socketsEach: 1, perSecondEach: 50 },
  { sessions: 100, socketsEach: 3, perSecondEach: 50 },
  { sessions: MANY, socketsEach: 1, perSecondEach: 6 },
]

/** How long a token is on its way: from when its agent has it to every socket. */
export const tokens: Scenario = {
  title: 'Token latency: from agent to socket',
  async run(context) {
    const sides = await startSides(context)
    const part = context.quick ? 5 : 1
    const loads = LOADS.map((load) => ({ ...load, sessions: load.sessions / part }))
    let run = 0
    await context.repeat(async () => {
      for (const load of loads) {
        for (const side of sides) await measure(context, side, load, run++)
      }
      await context.redis.flush()
    })
    for (const load of loads) judge(context, load)
  },
}

async function measure(context: Context, side: Side, load: Load, run: number): Promise<void> {
  const { name, readers, agents, withRedis } = side
  const pids = [...new Set([readers.pid, agents.pid]), ...(withRedis ? [context.redis.pid] : [])]
  const { sessions, socketsEach, perSecondEach } = load
  const order: LatencyParams = {
    ...context.windows,
    target: { ...readers.target, publishPort: agents.port },
    prefix: `tokens-${run}-`,
    sessions,
    socketsEach,
    perSecondEach,
    pids,
  }
  const done = await context.load.run('latency', order)
  const servers = readers === agents ? ['server'] : ['readers', 'agents']
  const cores = named([...servers, ...(withRedis ? ['redis'] : [])], done.cores)
  context.add(`${name}, ${nameOf(load)}, p50`, done.p50Ms, 'ms', cores)
  context.add(`${name}, ${nameOf(load)}, p99`, done.p99Ms, 'ms')
}

const nameOf = ({ sessions, socketsEach, perSecondEach }: Load): string =>
  `${sessions} sessions × ${perSecondEach}/s, ${socketsEach === 1 ? '1 socket' : `${socketsEach} sockets`}`

function judge(context: Context, what: Load): void {
  const load = nameOf(what)
  for (const kind of ['sqlite', 'redis', 'redis two nodes']) {
    const p50 = `Heldline ${kind}, ${load}, p50`
    const p99 = `Heldline ${kind}, ${load}, p99`
    const ceiling = `ceiling ${kind}, ${load}`
    const base = context.median(`${ceiling}, p50`)
    const ours = context.median(p50)
    if (base !== null && ours !== null) {
      context.limit(`${p50}, above its ceiling`, ours - base, 0.5, 'ms')
    }
    context.ratio(p99, `${ceiling}, p99`, 2, 'atMost')
    if (what.sessions < MANY) continue
    for (const [name, point] of [[p50, 'p50'] as const, [p99, 'p99'] as const]) {
      context.ratio(name, `Centrifuge Redis, ${load}, ${point}`, 1, 'atMost')
    }
  }
}

async function startSides(context: Context): Promise<Side[]> {
  const { redis, options, centrifuge } = context
  const one = async (
    name: string,
    withRedis: boolean,
    starting: Promise<ServerProcess>,
  ): Promise<Side> => {
    const server = await starting
    return { name, readers: server, agents: server, withRedis }
  }
  const relay = (store: StoreKind): Promise<ServerProcess> =>
    context.keep(
      startOwn('ceilings/token-relay.ts', 'bare', { STORE: store, REDIS_URL: redis.url }),
    )
  const sides = [
    await one('Heldline sqlite', false, context.heldline({ store: 'sqlite' })),
    await one('ceiling sqlite', false, relay('sqlite')),
    await one('Heldline redis', true, context.heldline({ store: 'redis' })),
    await one('ceiling redis', true, relay('redis')),
  ]
  const [, , heldline, ceiling] = sides
  if (heldline === undefined || ceiling === undefined) return sides
  const other = await context.heldline({ store: 'redis' })
  sides.push(
    { name: 'Heldline redis two nodes', readers: other, agents: heldline.agents, withRedis: true },
    {
      name: 'ceiling redis two nodes',
      readers: await relay('redis'),
      agents: ceiling.agents,
      withRedis: true,
    },
  )
  if (!options.peers) return sides
  sides.push(await one('Socket.IO Redis Streams', true, context.keep(startSocketIo(redis))))
  if ('program' in centrifuge) {
    const { program } = centrifuge
    sides.push(await one('Centrifuge Redis', true, context.keep(startCentrifuge(program, redis))))
  }
  return sides
}
