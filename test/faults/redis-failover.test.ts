import { expect, onTestFinished, test } from 'vitest'
import {
  type RedisServer,
  type RedisSettings,
  startCluster,
  startSentinel,
} from '../support/redis-server.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { bucketOf, slotOf } from '../../src/store/redis/keys.ts'
import type { ServerEnv } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const LONG = 120_000
const REPLICATED = { REDIS_DURABILITY: 'replicated', REDIS_REPLICAS: '2' }
const PATIENT: RedisSettings = { 'repl-diskless-sync-delay': '0', 'min-replicas-to-write': '1' }

test(
  'on a Sentinel, by settings alone: the primary dies, publishing goes on at the next one, and nothing acknowledged is lost',
  async () => {
    const stage = new Stage()
    const primary = await stage.redis(PATIENT)
    const replicas = await Promise.all([
      stage.redis({ ...PATIENT, replicaof: `127.0.0.1 ${primary.port}` }),
      stage.redis({ ...PATIENT, replicaof: `127.0.0.1 ${primary.port}` }),
    ])
    await replicated(primary, 2)
    const sentinel = await startSentinel(primary)
    onTestFinished(() => sentinel.stop())
    await until('the Sentinel knows both replicas', async () => {
      const known = await sentinel.ask('sentinel', 'replicas', 'main')
      return replicas.every(({ port }) => known.includes(`127.0.0.1:${port}`))
    })
    const env = {
      ...REPLICATED,
      REDIS_URL: 'redis://nowhere.invalid',
      // The first one answers nobody.
      REDIS_SENTINELS: `127.0.0.1:1,127.0.0.1:${sentinel.port}`,
      REDIS_SENTINEL_NAME: 'main',
    }
    const goesOn = await publishing(stage, env)

    stage.nemesis('kill primary')
    await primary.kill()
    // The Sentinel's word, and not the replica's: it may yet think better of one that has been told already.
    let next = primary.port
    await until('the Sentinel names another primary', async () => {
      const named = await sentinel.ask('sentinel', 'get-master-addr-by-name', 'main')
      next = Number(/\r\n(\d+)\r\n$/.exec(named)?.[1])
      return next !== primary.port
    })
    // All replicas are waited for, so one has to come back before anything is confirmed.
    await primary.restart({ replicaof: `127.0.0.1 ${next}` })
    await goesOn()
  },
  LONG,
)

test(
  'on a Cluster, by settings alone: a primary dies, its replica takes over, and nothing acknowledged is lost',
  async () => {
    const stage = new Stage()
    const cluster = await startCluster(3, PATIENT, { replicated: true })
    onTestFinished(() => cluster.stop())
    const env = {
      REDIS_URL: cluster.nodes.map(({ url }) => url).join(','),
      REDIS_CLUSTER: 'true',
      REDIS_DURABILITY: 'replicated',
      REDIS_REPLICAS: '1',
    }
    const goesOn = await publishing(stage, env)

    const shard = Math.floor((slotOf(bucketOf(stage.session as SessionId)) * 3) / 16_384)
    const [primary, replica] = [cluster.nodes[shard], cluster.replicas[shard]]
    if (primary === undefined || replica === undefined) throw new Error('no such shard')
    stage.nemesis('kill primary')
    await primary.kill()
    await until('the replica is primary', async () =>
      (await replica.ask('info', 'replication')).includes('role:master'),
    )
    // It comes back as the replica that is waited for.
    await primary.restart()
    await goesOn()
  },
  LONG,
)

/**
 * Two nodes, two readers, and two agents that publish all the time.
 * @returns to be called once a primary has died: shows that publishing goes on, that nothing acknowledged is lost, and that nobody was reset
 */
async function publishing(stage: Stage, env: ServerEnv): Promise<() => Promise<void>> {
  await Promise.all([stage.node(env), stage.node(env)])
  const position = await stage.open()
  stage.client('ann', { position, catchup: 'events' }, 0)
  stage.client('ben', { position, catchup: 'events' }, 1)
  const agents = [stage.agent('writer'), stage.agent('producer', { by: 'producer' })]
  const acknowledged = (): number => agents.reduce((sum, agent) => sum + agent.acknowledged, 0)
  const work = Promise.all(agents.map((agent) => agent.run()))
  work.catch(() => undefined)
  await until('appends', () => acknowledged() > 30)
  return async () => {
    const before = acknowledged()
    await until('appends at the new primary', () => acknowledged() > before + 30, {
      withinMs: 60_000,
    })
    for (const agent of agents) agent.stop()
    await work
    const verdict = await stage.judge()
    expect(verdict.counts.resets).toBe(0)
    expect(stage.nodes.every(({ running }) => running)).toBe(true)
  }
}

/** Waits until a primary has so many replicas that follow it. */
async function replicated(primary: RedisServer, count: number): Promise<void> {
  await until('the replicas follow', async () => {
    const info = await primary.ask('info', 'replication')
    return info.split('state=online').length === count + 1
  })
}
