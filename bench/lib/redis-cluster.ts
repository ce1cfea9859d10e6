import { freePort, sleep } from './processes.ts'
import { startRedis, type RedisServer } from './redis-server.ts'
import type { RedisPlace } from './servers.ts'

export interface RedisCluster extends RedisPlace {
  readonly cluster: true
  readonly pids: readonly number[]
  flush(): Promise<void>
  stop(): Promise<void>
}

const SLOTS = 16_384
const MEET_WITHIN_MS = 30_000

/** So many primaries, each with its share of the slots and set as the one Redis of a run is. */
export async function startRedisCluster(size: number): Promise<RedisCluster> {
  const servers: RedisServer[] = []
  for (let i = 0; i < size; i++) {
    const settings = { 'cluster-enabled': 'yes', 'cluster-port': String(await freePort()) }
    servers.push(await startRedis(settings))
  }
  const clients = servers.map((server) => server.client())
  const share = (i: number): number => Math.floor((i * SLOTS) / size)
  for (const [i, client] of clients.entries()) {
    await client.call('CLUSTER', 'ADDSLOTSRANGE', share(i), share(i + 1) - 1)
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
  }
  for (const client of clients) {
    for (const { port, busPort } of servers) {
      await client.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort)
    }
  }
  const until = Date.now() + MEET_WITHIN_MS
  for (;;) {
    const infos = await Promise.all(clients.map((client) => client.call('CLUSTER', 'INFO')))
    const met = (info: unknown): boolean =>
      String(info).includes('cluster_state:ok') &&
      String(info).includes(`cluster_known_nodes:${size}\r`)
    if (infos.every(met)) break
    if (Date.now() > until) throw new Error('the nodes of the Cluster have not met in time')
    await sleep(50)
  }
  for (const client of clients) client.disconnect()
  return {
    url: servers.map(({ url }) => url).join(','),
    cluster: true,
    pids: servers.map(({ pid }) => pid),
    flush: async () => {
      await Promise.all(servers.map((server) => server.flush()))
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}
