import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/open.ts'
import type { OpenedStore } from '../contract/store.ts'
import { startCluster, startRedis } from './redis-server.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** A store on a server that runs. */
export function openOn(url: string, options: Partial<RedisStoreOptions> = {}) {
  return openRedisStore({
    url,
    durability: 'async',
    strict: true,
    nodeId: 'test',
    log: silent,
    ...options,
  })
}

/** A store on a server of its own, as the contract wants it. */
export async function openAlone(): Promise<OpenedStore> {
  const server = await startRedis()
  return opened(
    () => openOn(server.url),
    () => server.stop(),
  )
}

/** A store on a Cluster of its own. */
export async function openOnCluster(): Promise<OpenedStore> {
  const cluster = await startCluster()
  const url = cluster.nodes[0]?.url ?? ''
  return opened(
    () => openOn(url, { cluster: true }),
    () => cluster.stop(),
  )
}

async function opened(
  open: () => ReturnType<typeof openOn>,
  discard: () => Promise<void>,
): Promise<OpenedStore> {
  const { store, signals } = await open()
  return {
    store,
    signals,
    reopen: async () => {
      await store.close()
      return opened(open, discard)
    },
    close: async () => {
      await store.close()
      await discard()
    },
  }
}
