import { IN_MEMORY } from '../core/in-memory.ts'
import type { Log } from '../core/log.ts'
import type { Secret } from '../core/secret.ts'
import type { Signals } from '../core/signals.ts'
import type { Store } from '../core/store.ts'
import { LocalSignals } from './local-signals.ts'
import { MemoryStore } from './memory.ts'
import { SqliteStore } from './sqlite/store.ts'

export interface StoreSettings {
  readonly dataDir: string
  readonly sqliteSynchronous: 'full' | 'normal'
  /** Several: nodes of a Cluster. */
  readonly redisUrl: readonly Secret[] | null
  readonly redisCluster: boolean
  readonly redisSentinels: readonly Secret[] | null
  readonly redisSentinelName: string | null
  readonly redisDurability: 'async' | 'fsync' | 'replicated'
  readonly redisReplicas: number
  /** What TLS to Redis goes by, each in PEM; `null`: Node's own authorities, and no certificate of ours. */
  readonly redisCa: string | null
  readonly redisClientCert: string | null
  readonly redisClientKey: Secret | null
  readonly production: boolean
}

export interface OpenedStore {
  readonly store: Store
  readonly signals: Signals
  /** Resolves when the store can take nothing more until the process is started anew, with the reason. */
  readonly failed?: Promise<Error>
}

/** The store that the settings ask for. @throws Error with a sentence for the operator */
export async function openStore(
  settings: StoreSettings,
  ports: { readonly now: () => number; readonly nodeId: string; readonly log: Log },
): Promise<OpenedStore> {
  if (settings.redisUrl !== null) return openRedis(settings, settings.redisUrl, ports)
  const signals = new LocalSignals()
  if (settings.dataDir === IN_MEMORY) {
    return { store: new MemoryStore(signals, ports.now), signals }
  }
  const store = await SqliteStore.open({
    folder: settings.dataDir,
    signals,
    now: ports.now,
    durability: settings.sqliteSynchronous === 'full' ? 'fsync' : 'async',
  })
  return { store, signals, failed: store.failed }
}

/** Loaded only where it is used: a server on SQLite does not pay for a Redis client. */
async function openRedis(
  settings: StoreSettings,
  urls: readonly Secret[],
  ports: { readonly nodeId: string; readonly log: Log },
): Promise<OpenedStore> {
  const { openRedisStore } = await import('./redis/open.ts')
  const [url = '', ...more] = urls.map((each) => each.reveal())
  const { redisSentinels, redisSentinelName, redisCa, redisClientCert, redisClientKey } = settings
  return openRedisStore({
    url,
    cluster: settings.redisCluster && more,
    ...(redisSentinels !== null &&
      redisSentinelName !== null && {
        sentinel: {
          name: redisSentinelName,
          urls: redisSentinels.map((each) => each.reveal()),
        },
      }),
    tls: {
      ...(redisCa !== null && { ca: redisCa }),
      ...(redisClientCert !== null && { cert: redisClientCert }),
      ...(redisClientKey !== null && { key: redisClientKey.reveal() }),
    },
    durability: settings.redisDurability,
    replicas: settings.redisReplicas,
    strict: settings.production,
    nodeId: ports.nodeId,
    log: ports.log,
  })
}
