import { isIP } from 'node:net'
import { Cluster, Redis, type RedisOptions } from 'ioredis'

/** Where Redis is. */
export interface RedisPlace {
  /** `redis://user:password@host:port/db`, or `rediss://` for TLS. On a Cluster: any of its nodes. */
  readonly url: string
  /** A Cluster; further nodes to begin with, as URLs. */
  readonly cluster?: boolean | readonly string[]
  /**
   * Sentinels that know the primary, as URLs with the same user, password and scheme. What is Redis' own is taken from `url`, but for its host.
   */
  readonly sentinel?: { readonly name: string; readonly urls: readonly string[] }
  /** For every `rediss://`: who vouches for Redis, and how we show who we are. */
  readonly tls?: TlsSettings
}

/** Texts in PEM. */
export interface TlsSettings {
  /** The authorities that certificates may come from; without: those of Node. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export type Client = Redis | Cluster

/** No answer within this: the attempt is over. Below the total time of a commit, so that a second attempt fits. */
export const COMMAND_TIMEOUT_MS = 2500
const CONNECT_TIMEOUT_MS = 2000
const SOCKET_TIMEOUT_MS = 5000
export const REDIS_PORT = 6379
export const SENTINEL_PORT = 26_379
const KEEP_ALIVE_MS = 10_000
const SLOTS_REFRESH_MS = 2000

/** 50 ms doubling to 2 s, and up to 250 ms of chance so that nodes do not come back in step; for ever. */
const backoff = (times: number): number =>
  Math.min(50 * 2 ** Math.min(times - 1, 10), 2000) + Math.floor(Math.random() * 250)

/**
 * What every connection has in common. ioredis' defaults would send a command again whose reply was lost, and keep commands for later
 * that their callers have given up: both append twice. Here a command is sent once, or refused at once; who wants it again says so.
 */
function common(name: string) {
  return {
    connectionName: name,
    protocol: 3,
    replyMapping: 'legacy',
    stringNumbers: false,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: backoff,
    // `true` reconnects, and so asks a Sentinel again who is primary; `2` would send again.
    reconnectOnError: (error) => /^(READONLY|MASTERDOWN)/.test(error.message),
    lazyConnect: true,
  } as const satisfies RedisOptions
}

/** A client that has not yet begun to connect. */
export function newClient(place: RedisPlace, name: string): Client {
  return place.cluster === undefined || place.cluster === false
    ? newRedis(place, name)
    : newCluster(place, name)
}

/** A connection to one node of a Cluster. */
export function newNodeClient(place: RedisPlace, host: string, port: number, name: string): Redis {
  const access = credentials(place, new URL(place.url), host)
  return outlived(new Redis({ ...common(name), ...access, host, port }))
}

function newRedis(place: RedisPlace, name: string): Redis {
  const url = new URL(place.url)
  const shared = { ...common(name), db: Number(url.pathname.slice(1) || 0) }
  if (place.sentinel === undefined) {
    const { host, port } = address(url)
    return outlived(new Redis({ ...shared, ...credentials(place, url, host), host, port }))
  }
  const base = { ...shared, ...credentials(place, url) }
  const sentinels = place.sentinel.urls.map((each) => new URL(each))
  const { username, password, tls } = credentials(place, sentinels[0] ?? url)
  const client = new Redis({
    ...base,
    name: place.sentinel.name,
    sentinels: sentinels.map((sentinel) => address(sentinel, SENTINEL_PORT)),
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    ...(tls !== undefined && { sentinelTLS: tls }),
    // Without it, ioredis talks to the primary in the clear, whatever `tls` says.
    enableTLSForSentinelMode: url.protocol === 'rediss:',
    sentinelRetryStrategy: backoff,
    // A Sentinel that takes connections and says nothing is not waited for: the next may know.
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    failoverDetector: true,
  })
  return outlived(client)
}

function newCluster(place: RedisPlace, name: string): Cluster {
  const more = Array.isArray(place.cluster) ? (place.cluster as readonly string[]) : []
  const { retryStrategy: _, enableOfflineQueue: __, ...redisOptions } = common(name)
  const access = credentials(place, new URL(place.url))
  const cluster = new Cluster(
    [place.url, ...more].map((url) => address(new URL(url))),
    {
      redisOptions: { ...redisOptions, ...access },
      // A certificate is for a name: ioredis would look for the address instead.
      ...(access.tls !== undefined && {
        dnsLookup: (host, found) => found(null, host),
      }),
      clusterRetryStrategy: backoff,
      enableOfflineQueue: false,
      enableReadyCheck: true,
      scaleReads: 'master',
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      lazyConnect: true,
    },
  )
  return cluster.on('+node', outlived)
}

/**
 * A client that nothing a dead connection still says can end the process: ioredis hears the first error of a TLS socket, and Node has a second one
 * where the other side answers that our farewell, in the middle of the handshake, made no sense.
 */
function outlived(client: Redis): Redis {
  return client.on('error', () => {
    // There is none where it could not be made.
    const stream = client.stream as Redis['stream'] | null | undefined
    stream?.on('error', () => undefined)
  })
}

/** Where a URL leads. */
export const address = (url: URL, usualPort = REDIS_PORT) => ({
  host: url.hostname.replace(/^\[|\]$/g, ''),
  port: Number(url.port || usualPort),
})

/** @param host where the connection goes, where that is known: a server of many names is told which one is meant */
function credentials(
  place: RedisPlace,
  url: URL,
  host = '',
): Pick<RedisOptions, 'username' | 'password' | 'tls'> {
  const named = host !== '' && isIP(host) === 0
  return {
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(url.protocol === 'rediss:' && {
      tls: { ...place.tls, ...(named && { servername: host }) },
    }),
  }
}
