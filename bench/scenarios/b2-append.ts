import type { How } from '../load/append.ts'
import { createSession } from '../load/preload.ts'
import { startPeers } from '../lib/peers.ts'
import { removeFolder, temporaryFolder } from '../lib/processes.ts'
import { named, type Context, type Scenario } from '../lib/scenario.ts'
import { startOwn, type ServerProcess } from '../lib/servers.ts'
import { driveStore } from '../lib/store-ceiling.ts'

const UNIT = 'appends/s'
const BATCH = 50
const BATCH_CONNECTIONS = 8
/** An event of the load's as it is stored. */
const STORED_BYTES = 370

const WAYS: readonly (readonly [string, How])[] = [
  ['HTTP single', { kind: 'http', connections: 50, batch: 1 }],
  ['HTTP batches of 50', { kind: 'http', connections: BATCH_CONNECTIONS, batch: BATCH }],
  ['NDJSON stream', { kind: 'stream', window: 1000 }],
  ['WebSocket', { kind: 'socket', window: 64 }],
]

/** Every way to append, with one reader that checks. */
export const appends: Scenario = {
  title: 'Append, one reader',
  async run(context) {
    const { redis } = context
    const sqliteServer = await context.heldline({ store: 'sqlite' })
    const redisServer = await context.heldline({ store: 'redis' })
    const empty = await context.keep(startOwn('ceilings/empty-handler.ts', 'bare'))
    const peers = await startPeers(context)
    let run = 0
    await context.repeat(async () => {
      for (const [way, how] of WAYS) {
        for (const [store, server] of [
          ['sqlite', sqliteServer] as const,
          ['redis', redisServer] as const,
        ]) {
          const session = `append-${run++}`
          await createSession(server.port, session)
          const withRedis = store === 'redis' ? [redis.pid] : []
          const { target } = server
          const pids = [server.pid, ...withRedis]
          const order = { ...context.windows, target, session, how, readers: 1, pids }
          const done = await context.load.run('append', order)
          const cores = named(['server', ...withRedis.map(() => 'redis')], done.cores)
          context.add(`Heldline ${store}, ${way}`, done.appendsPerSecond, UNIT, cores)
        }
      }
      await ceilings(context, empty)
      for (const [what, server] of peers) {
        const how: How = { kind: 'socket', window: 64 }
        const session = `append-${run++}`
        const { target } = server
        const order = { ...context.windows, target, session, how, readers: 1, pids: [server.pid] }
        const done = await context.load.run('append', order)
        context.add(what, done.appendsPerSecond, UNIT, named(['server'], done.cores))
      }
      await redis.flush()
    })
    for (const store of ['sqlite', 'redis'] as const) {
      const ours = (way: string): string => `Heldline ${store}, ${way}`
      context.ratio(ours('HTTP single'), 'ceiling: empty Fastify handler', 0.6)
      const ceiling = CEILINGS[store]
      context.ratio(ours('HTTP batches of 50'), ceiling, 0.6)
      context.ratio(ours('NDJSON stream'), ceiling, 0.6)
      for (const [what] of peers) {
        // A peer that keeps history in memory alone is told, not judged against.
        const durable = !what.includes('memory')
        context.ratio(ours('WebSocket'), what, durable ? 1 : null)
        context.ratio(ours('HTTP batches of 50'), what, durable ? 1 : null)
      }
    }
  },
}

const CEILINGS = {
  sqlite: 'ceiling: SQLite, transactions of 400',
  redis: 'ceiling: Redis, scripts of 50',
} as const

async function ceilings(context: Context, empty: ServerProcess): Promise<void> {
  const { windows, load, redis } = context
  const handler = await load.run('append', {
    ...windows,
    target: empty.target,
    session: 'empty',
    how: { kind: 'http', connections: 50, batch: 1 },
    readers: 0,
    pids: [empty.pid],
  })
  const cores = named(['server'], handler.cores)
  context.add('ceiling: empty Fastify handler', handler.appendsPerSecond, UNIT, cores)
  const { windowMs } = windows
  const bytesPerEvent = STORED_BYTES
  const folder = temporaryFolder('bare')
  // What waits goes together: as many as the load has under way.
  const sqlite = { folder, batch: BATCH * BATCH_CONNECTIONS, bytesPerEvent, windowMs }
  context.add(CEILINGS.sqlite, await driveStore({ kind: 'sqlite', params: sqlite }), UNIT)
  removeFolder(folder)
  const script = {
    url: redis.url,
    batch: BATCH,
    inFlight: BATCH_CONNECTIONS,
    bytesPerEvent,
    windowMs,
  }
  context.add(CEILINGS.redis, await driveStore({ kind: 'redis', params: script }), UNIT)
}
