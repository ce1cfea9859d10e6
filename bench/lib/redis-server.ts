import { Redis } from 'ioredis'
import { freePort, removeFolder, start, temporaryFolder, type Process } from './processes.ts'

export interface RedisServer extends Process {
  readonly url: string
  readonly port: number
  /** Where the others of its Cluster speak to it, where it is of one. */
  readonly busPort: number
  /** Forgets everything, so that scenarios do not see each other's data. */
  flush(): Promise<void>
  usedMemory(): Promise<number>
  client(): Redis
}

/** A real Redis on a free port: append-only file, synced every second, nothing evicted. @param more further settings */
export async function startRedis(
  more: Readonly<Record<string, string>> = {},
): Promise<RedisServer> {
  const port = await freePort()
  const folder = temporaryFolder('redis')
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync: 'everysec',
    'auto-aof-rewrite-percentage': '0',
    'maxmemory-policy': 'noeviction',
    maxclients: '10000',
    daemonize: 'no',
    ...more,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const ready = /Ready to accept connections/
  const server = await start('redis', 'redis-server', args, { ready })
  const url = `redis://127.0.0.1:${port}`
  const redis = new Redis(url)
  return {
    ...server,
    url,
    port,
    busPort: Number(more['cluster-port'] ?? 0),
    flush: async () => {
      await redis.flushall()
    },
    usedMemory: async () => {
      const info = await redis.info('memory')
      return Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0)
    },
    client: () => new Redis(url),
    stop: async () => {
      redis.disconnect()
      await server.stop('SIGKILL')
      removeFolder(folder)
    },
  }
}
