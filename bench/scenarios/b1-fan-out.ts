import { createSession } from '../load/preload.ts'
import { startPeers } from '../lib/peers.ts'
import { named, type Scenario } from '../lib/scenario.ts'
import { startOwn } from '../lib/servers.ts'

const WAITING = 64
const UNIT = 'deliveries/s'

/** One session, many sockets, a publisher that keeps 64 appends waiting. */
export const fanOut: Scenario = {
  title: 'Fan-out: one session, 64 appends waiting',
  async run(context) {
    const { redis } = context
    const sides = {
      sqlite: await context.heldline({ store: 'sqlite' }),
      redis: await context.heldline({ store: 'redis' }),
    }
    const pump = await context.keep(startOwn('ceilings/ws-pump.ts', 'bare'))
    const relay = await context.keep(startOwn('ceilings/http-relay.ts', 'bare'))
    const peers = await startPeers(context)
    let run = 0
    for (const sockets of [100, 1000]) {
      const name = (what: string): string => `${what}, ${sockets} sockets`
      await context.repeat(async () => {
        for (const [store, server] of Object.entries(sides)) {
          const session = `fan-out-${run++}`
          await createSession(server.port, session)
          const withRedis = store === 'redis' ? [redis.pid] : []
          const done = await context.load.run('append', {
            ...context.windows,
            target: server.target,
            session,
            how: { kind: 'http', connections: WAITING, batch: 1 },
            readers: sockets,
            pids: [server.pid, ...withRedis],
          })
          const cores = named(['server', ...withRedis.map(() => 'redis')], done.cores)
          context.add(name(`Heldline ${store}`), done.deliveriesPerSecond, UNIT, cores)
          context.add(name(`Heldline ${store}, events a frame`), done.eventsPerFrame, 'events')
          const bare = await context.load.run('pump', {
            ...context.windows,
            target: pump.target,
            readers: sockets,
            eventsPerFrame: done.eventsPerFrame,
            bytesPerEvent: done.bytesPerEvent,
            pids: [pump.pid],
          })
          const ceiling = name(`ceiling of ${store}: bare ws, same frames`)
          context.add(ceiling, bare.deliveriesPerSecond, UNIT, named(['server'], bare.cores))
        }
        for (const [what, server] of [
          ['ceiling with appends: Fastify + bare ws', relay] as const,
          ...peers,
        ]) {
          const done = await context.load.run('append', {
            ...context.windows,
            target: server.target,
            session: `fan-out-${run++}`,
            how: { kind: 'http', connections: WAITING, batch: 1 },
            readers: sockets,
            pids: [server.pid],
          })
          context.add(name(what), done.deliveriesPerSecond, UNIT, named(['server'], done.cores))
        }
        await redis.flush()
      })
      for (const store of ['sqlite', 'redis']) {
        const ours = name(`Heldline ${store}`)
        context.ratio(ours, name(`ceiling of ${store}: bare ws, same frames`), 0.8)
        context.ratio(ours, name('ceiling with appends: Fastify + bare ws'), null)
        context.ratio(ours, name(`Centrifuge ${store === 'redis' ? 'Redis' : 'memory'}`), 2)
        context.ratio(ours, name('Socket.IO Redis Streams'), 5)
        context.ratio(ours, name('NATS JetStream file'), null)
      }
    }
  },
}
