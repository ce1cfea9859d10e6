import { randomBytes } from 'node:crypto'
import { Cluster, type Redis } from 'ioredis'
import type { Log } from '../../core/log.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { Durability, StoreHealth } from '../../core/store.ts'
import {
  address,
  newClient,
  newNodeClient,
  REDIS_PORT,
  SENTINEL_PORT,
  type RedisPlace,
} from './connect.ts'
import { assess, type Assessment } from './durability.ts'
import { failureOf } from './failures.ts'
import { slotOf } from './keys.ts'
import { Link } from './link.ts'
import { assertPermitted, forbidden, mayNot } from './permissions.ts'
import { SCRIPTS } from './scripts.ts'
import { RedisSignals } from './signals.ts'
import { RedisStore } from './store.ts'
import type { Route } from './subscribers.ts'
import { whyUnreachable } from './unreachable.ts'

export interface RedisStoreOptions extends RedisPlace {
  /** What a commit that was answered shall survive; see `Durability`. */
  readonly durability: Exclude<Durability, 'memory'>
  /** With `replicated`: so many replicas confirm each commit. 1 unless said. */
  readonly replicas?: number
  /** Refuse to open on a Redis that cannot keep what is declared. */
  readonly strict: boolean
  /** Names this node in Redis' list of clients. */
  readonly nodeId: string
  readonly log: Log
  /** Gives up opening, or closes what was opened. */
  readonly signal?: AbortSignal
  /** For how long a commit is tried, in ms; 5,000 unless said. */
  readonly deadlineMs?: number
  /** How often a connection that listens is tried with a message to ourselves, in ms; 5,000 unless said. */
  readonly probeMs?: number
  /** How often settings and permissions are looked at, in ms, beside new connections; 60,000 unless said. */
  readonly lookEveryMs?: number
}

const DEADLINE_MS = 5000
const PROBE_MS = 5000
const CONNECT_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 60_000
/** Nodes whose clocks are further apart than some seconds refuse each other's tokens. [P-6.1] */
const APART_MS = 10_000
/** Shorter than a command may take. */
const WAIT_MS = 1500

/**
 * Opens the store and its signals together, on three connections: commits, reads, subscriber (each to every primary, on a Cluster).
 * @throws HeldlineError `store_unavailable` when Redis cannot be reached or is too old, or, with `strict`, cannot keep what is declared
 */
export async function openRedisStore(
  options: RedisStoreOptions,
): Promise<{ store: RedisStore; signals: RedisSignals }> {
  const { log, nodeId, signal } = options
  const link = (role: string) =>
    new Link(newClient(options, `heldline-${nodeId}-${role}`), role, log)
  const [commits, reads] = [link('commits'), link('reads')]
  const abort = (): void => {
    commits.close()
    reads.close()
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await Promise.all([up(commits, options), up(reads, options)])
    const assessment = await assess(reads, options.durability, options.replicas ?? 1)
    report(assessment, options)
    tellApart(assessment, log)
    // Spares the first call of each script a round trip; a server that forgets them is told again then.
    await Promise.all(
      Object.values(SCRIPTS).map(({ text }) => commits.each(['script', 'load', text])),
    )
    await assertPermitted(commits)
    return assemble(options, commits, reads, assessment)
  } catch (error) {
    abort()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

function assemble(options: RedisStoreOptions, commits: Link, reads: Link, first: Assessment) {
  const { log, signal } = options
  const replicas = options.replicas ?? 1
  const clustered = commits.client instanceof Cluster
  const instance = randomBytes(9).toString('base64url')
  const publish = clustered ? 'spublish' : 'publish'
  const route = clustered ? clusterRoute(options, reads) : oneRoute(options)
  const signals = new RedisSignals({
    link: commits,
    route,
    instance,
    publish,
    log,
    probeMs: options.probeMs ?? PROBE_MS,
  })

  let latest = first
  let lacking: readonly string[] = []
  /** @param anew whether to ask for permissions too; where one is known to lack, that is asked each time */
  const look = async (anew: boolean): Promise<void> => {
    try {
      const assessment = await assess(reads, options.durability, replicas)
      if (anew || lacking.length > 0) lacking = await forbidden(commits)
      latest = without(lacking, assessment, log)
      tellApart(latest, log)
      const { met, problems } = latest
      if (met !== first.met)
        log.warn('redis.durability_changed', { met, problems, declared: first.met })
    } catch (error) {
      log.warn('redis.check_failed', { error: String(error) })
    }
  }
  const timer = setInterval(() => void look(true), options.lookEveryMs ?? LOOK_EVERY_MS).unref()
  for (const link of [commits, reads]) {
    // Another history may answer now: all heads are to be verified, and the settings too.
    link.onBack(() => {
      signals.restored()
      void look(true)
    })
  }

  const store = new RedisStore({
    commits,
    reads,
    signals,
    durability: first.met,
    instance,
    clustered,
    wait: first.met === 'replicated' ? { replicas, timeoutMs: WAIT_MS } : null,
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    check: async () =>
      health(commits, reads, await look(false).then(() => latest), options.durability),
    release: () => {
      clearInterval(timer)
      signals.close()
      commits.close()
      reads.close()
    },
  })
  signal?.addEventListener('abort', () => void store.close(), { once: true })
  return { store, signals }
}

async function up(link: Link, options: RedisStoreOptions): Promise<void> {
  const { promise: hopeless, resolve: giveUp } = Promise.withResolvers<void>()
  let reason: unknown
  const note = (error: unknown): void => {
    reason = error
    if (whyUnreachable(error).hopeless) giveUp()
  }
  link.client.on('error', note)
  link.connect().catch(() => undefined) // Goes on trying, and has told `note` why.
  await Promise.race([link.whenReady(CONNECT_WITHIN_MS), hopeless])
  link.client.off('error', note)
  if (link.ready && options.signal?.aborted !== true) return
  const cause = (await failureOfFirst(options)) ?? reason
  throw new HeldlineError(
    'store_unavailable',
    `unable to open the store; Redis cannot be reached: ${whyUnreachable(cause).text}`,
    // Not the error itself: one of Redis carries the command that it refused, and so the password.
    { cause: failureOf(cause) },
  )
}

/**
 * Why the first node of a Cluster, or the first Sentinel, cannot be reached, which ioredis keeps to itself: it is asked once more. `undefined` where it can, or where
 * there is neither.
 */
async function failureOfFirst(options: RedisStoreOptions): Promise<unknown> {
  const [sentinel] = options.sentinel?.urls ?? []
  if (sentinel === undefined && (options.cluster ?? false) === false) return undefined
  const url = sentinel ?? options.url
  const usualPort = sentinel === undefined ? REDIS_PORT : SENTINEL_PORT
  const { host, port } = address(new URL(url), usualPort)
  const place = { ...options, url }
  const client = newNodeClient(place, host, port, `heldline-${options.nodeId}-probe`)
  try {
    return await new Promise((resolve) => {
      client.on('error', resolve)
      client.connect().then(() => resolve(undefined), resolve)
    })
  } finally {
    client.disconnect()
  }
}

function report(
  { met, problems }: Assessment,
  { durability, strict, log }: RedisStoreOptions,
): void {
  if (problems.length === 0) return
  log.warn('redis.durability_unmet', { declared: durability, met, problems })
  if (!strict) return
  throw new HeldlineError(
    'store_unavailable',
    `unable to keep "${durability}"; ${problems.join('; ')}`,
  )
}

/** A user whose permissions are changed while we serve: a node that may tear a batch is not well. */
function without(commands: readonly string[], assessment: Assessment, log: Log): Assessment {
  if (commands.length === 0) return assessment
  log.warn('redis.commands_forbidden', { commands })
  return { ...assessment, problems: [...assessment.problems, mayNot(commands)] }
}

/** Everything that lasts goes by the clock of Redis, tokens by that of each node. */
function tellApart({ aheadMs }: Assessment, log: Log): void {
  if (Math.abs(aheadMs) >= APART_MS) log.warn('redis.clock_apart', { aheadMs })
}

async function health(
  commits: Link,
  reads: Link,
  { met, problems }: Assessment,
  declared: Durability,
): Promise<StoreHealth> {
  const pings = await Promise.all([commits.one(['ping']), reads.one(['ping'])])
  const failed = pings.find((ping) => 'failure' in ping)
  if (failed !== undefined) return { ok: false, detail: 'Redis does not answer' }
  const detail = [`Redis keeps "${met}" of "${declared}"`, ...problems].join('; ')
  return { ok: problems.length === 0 && met === declared, detail }
}

/** Without a Cluster one connection hears everything. */
function oneRoute(options: RedisStoreOptions): Route {
  return {
    owner: () => 'redis',
    // Not a Cluster's place, so not a Cluster.
    connect: () => newClient(options, `heldline-${options.nodeId}-subscriber`) as Redis,
    refresh: () => undefined,
  }
}

function clusterRoute(options: RedisStoreOptions, link: Link): Route {
  // The caller has looked.
  const cluster = link.client as Cluster
  return {
    owner: (bucket) => cluster.slots[slotOf(bucket)]?.[0] ?? null,
    connect: (owner) => {
      const colon = owner.lastIndexOf(':')
      const [host, port] = [owner.slice(0, colon), Number(owner.slice(colon + 1))]
      return newNodeClient(options, host, port, `heldline-${options.nodeId}-subscriber`)
    },
    refresh: () => link.refresh(),
  }
}
