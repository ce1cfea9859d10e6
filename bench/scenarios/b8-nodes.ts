import { startRedisCluster } from '../lib/redis-cluster.ts'
import type { Context, Scenario } from '../lib/scenario.ts'
import type { RedisPlace, ServerProcess } from '../lib/servers.ts'
import { driveStore } from '../lib/store-ceiling.ts'
import type { Target } from '../load/target.ts'
import { measureWakes } from './b8-wakes.ts'

const UNIT = 'appends/s'
const NODES = [1, 2, 4]
const SHARDS = 3
/** An event of the load's as it is stored. */
const STORED_BYTES = 370
/** What is offered to each node: four of them, Redis and the load fit on two cores with it. */
const PACE = { sessions: 100, perSecondEach: 20 }
/** As fast as it goes: publishers of each node that wait for each answer. */
const WAYS = [
  { way: 'HTTP single', sessions: 48, batch: 1 },
  { way: 'HTTP batches of 50', sessions: 8, batch: 50 },
] as const
const CEILINGS = {
  'HTTP single': {
    name: 'ceiling: Redis, one script an event, 64 under way',
    batch: 1,
    inFlight: 64,
  },
  'HTTP batches of 50': { name: 'ceiling: Redis, scripts of 50', batch: 50, inFlight: 8 },
} as const

/** Nodes keep no truth: what one more of them brings, and what it costs the others. */
export const nodes: Scenario = {
  title: 'Nodes: one, two and four on one Redis, and on a Cluster of three',
  async run(context) {
    const cluster = await context.keep(clustered())
    const one: Place = { ...context.redis, name: 'one Redis', pids: [context.redis.pid] }
    const places: readonly Place[] = [one, cluster]
    for (const place of places) {
      await measurePlace(context, place)
      await measureWakes(context, place)
    }
    await context.repeat(async () => {
      for (const { name, ...script } of Object.values(CEILINGS)) {
        const { windowMs } = context.windows
        const params = { url: one.url, bytesPerEvent: STORED_BYTES, windowMs, ...script }
        context.add(name, await driveStore({ kind: 'redis', params }), UNIT)
      }
    })
    for (const place of places) judge(context, place)
    context.notes.push(
      `Offered: ${PACE.sessions} sessions a node, ${PACE.perSecondEach} tokens a second each, each session published to at one node and read by a socket at the next. As fast as it goes: one publisher a session, each read afterwards from another ` +
        'node than the one that took it, event by event. Where the machine has fewer cores than there are processes, what all nodes take together is bounded by the cores, not by the nodes: what one append costs, and what a node takes of what it is ' +
        'offered, are what is judged. A core-second of Redis: the appends that one core of Redis carries, which is the end of scaling on one Redis; beyond it, a Cluster.',
    )
  },
}

export interface Place extends RedisPlace {
  readonly name: string
  readonly pids: readonly number[]
  flush(): Promise<void>
}

async function clustered() {
  const cluster = await startRedisCluster(SHARDS)
  return { ...cluster, name: `Cluster of ${SHARDS}`, pid: cluster.pids[0] ?? 0 }
}

async function measurePlace(context: Context, place: Place): Promise<void> {
  const started: ServerProcess[] = []
  for (let i = 0; i < Math.max(...NODES); i++) {
    started.push(await context.heldline({ store: 'redis', redis: place }))
  }
  let run = 0
  await context.repeat(async () => {
    for (const count of NODES) {
      const side: Side = { place, count, servers: started.slice(0, count), prefix: `n${run++}-` }
      await measurePaced(context, side)
      for (const way of WAYS) await measureFull(context, side, way)
      await place.flush()
    }
  })
  for (const server of started) await server.stop()
}

interface Side {
  readonly place: Place
  readonly count: number
  readonly servers: readonly ServerProcess[]
  readonly prefix: string
}

const nameOf = (place: Place, count: number, what: string): string =>
  `${place.name}, ${count === 1 ? '1 node' : `${count} nodes`}, ${what}`

const PACED = `${(PACE.sessions * PACE.perSecondEach).toLocaleString('en-US')} a second offered to each`

/** Each node takes the appends of its part of the sessions, which are read at the next one. */
function targetsOf({ servers }: Side): Target[] {
  return servers.map(({ port }, i) => {
    const reading = servers[(i + 1) % servers.length]?.port ?? port
    return { dialect: 'heldline', port: reading, publishPort: port }
  })
}

const pidsOf = ({ servers, place }: Side): number[] => [
  ...servers.map(({ pid }) => pid),
  ...place.pids,
]

async function measurePaced(context: Context, side: Side): Promise<void> {
  const { place, count, prefix } = side
  const done = await context.load.run('latency', {
    ...context.windows,
    target: targetsOf(side),
    prefix: `${prefix}paced-`,
    sessions: PACE.sessions * count,
    socketsEach: 1,
    perSecondEach: PACE.perSecondEach,
    pids: pidsOf(side),
  })
  const used = usedBy(side, done.cores)
  const what = nameOf(place, count, PACED)
  context.add(what, done.deliveriesPerSecond, UNIT, used.shown)
  context.add(`${what}, a node`, done.deliveriesPerSecond / count, UNIT)
  context.add(`${what}, p50`, done.p50Ms, 'ms')
  context.add(`${what}, p99`, done.p99Ms, 'ms')
  context.add(
    `${what}, CPU of the nodes an append`,
    (used.nodes / done.deliveriesPerSecond) * 1e6,
    'µs',
  )
  context.add(
    `${what}, CPU of Redis an append`,
    (used.redis / done.deliveriesPerSecond) * 1e6,
    'µs',
  )
}

async function measureFull(
  context: Context,
  side: Side,
  { way, sessions, batch }: (typeof WAYS)[number],
): Promise<void> {
  const { place, count, prefix } = side
  const done = await context.load.run('spread', {
    ...context.windows,
    targets: targetsOf(side),
    prefix: `${prefix}${batch}-`,
    sessions: sessions * count,
    batch,
    followed: false,
    pids: pidsOf(side),
  })
  const used = usedBy(side, done.cores)
  const what = nameOf(place, count, way)
  context.add(what, done.appendsPerSecond, UNIT, used.shown)
  context.add(`${what}, a core-second of the nodes`, done.appendsPerSecond / used.nodes, 'appends')
  context.add(`${what}, a core-second of Redis`, done.appendsPerSecond / used.redis, 'appends')
}

interface Used {
  readonly nodes: number
  readonly redis: number
  readonly shown: Readonly<Record<string, number>>
}

/** @param cores as a task gives them for `pidsOf`, then the load's own */
function usedBy({ servers, place }: Side, cores: readonly number[]): Used {
  const each = cores.slice(0, servers.length)
  const shards = cores.slice(servers.length, servers.length + place.pids.length)
  const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0)
  const named = (name: string, all: readonly number[]) =>
    all.map((used, i) => [all.length === 1 ? name : `${name} ${i + 1}`, used] as const)
  return {
    nodes: sum(each),
    redis: sum(shards),
    shown: Object.fromEntries([
      ...named('node', each),
      ...named('redis', shards),
      ['load', cores.at(-1) ?? 0],
    ]),
  }
}

function judge(context: Context, place: Place): void {
  for (const count of NODES.slice(1)) {
    const against = (what: string, target: number | null, way?: 'atMost'): void => {
      context.ratio(nameOf(place, count, what), nameOf(place, 1, what), target, way)
    }
    against(`${PACED}, a node`, 0.9)
    against(`${PACED}, CPU of the nodes an append`, 1 / 0.9, 'atMost')
    against(`${PACED}, CPU of Redis an append`, null)
    for (const { way } of WAYS) {
      against(`${way}, a core-second of the nodes`, 0.9)
      against(way, null)
      if (place.cluster !== true) context.ratio(nameOf(place, count, way), CEILINGS[way].name, null)
    }
  }
}
