import { expect, it } from 'vitest'
import type { SessionId } from '../../src/protocol/ids.ts'
import { bucketOf, slotOf } from '../../src/store/redis/keys.ts'
import {
  commit,
  create,
  event,
  events,
  eventually,
  expectChain,
  headOf,
  listen,
  readAll,
} from '../contract/store/kit.ts'
import { appendOne, codeOf, hearsFrom, kept, open } from '../support/redis-case.ts'
import { startCluster } from '../support/redis-server.ts'
import { until } from '../support/until.ts'

/** A Cluster with a replica for each primary, two nodes on it, and a session on each primary, in order. */
async function replicatedCluster(deadlineMs: number) {
  const cluster = await kept(
    startCluster(3, { 'min-replicas-to-write': '1' }, { replicated: true }),
  )
  const openBy = (index: number) =>
    open(cluster.nodes[index]?.url ?? '', {
      cluster: true,
      durability: 'replicated',
      replicas: 1,
      deadlineMs,
    })
  // The one opens by the first primary, the other by another one.
  const [here, there] = [await openBy(0), await openBy(1)]
  expect(here.store.durability).toBe('replicated')
  const sessions = new Map<number, SessionId>()
  while (sessions.size < 3) {
    const { session } = await create(here.store)
    sessions.set(Math.floor((slotOf(bucketOf(session)) * 3) / 16_384), session)
  }
  const inOrder = [0, 1, 2].map((index) => sessions.get(index) as SessionId)
  return { cluster, here, there, sessions: inOrder }
}

it('confirms what the replica of that very primary has, and nothing else', async () => {
  const { cluster, here, sessions } = await replicatedCluster(5000)
  const [struck, ...others] = sessions as [SessionId, ...SessionId[]]
  await cluster.replicas[0]?.kill('SIGSTOP')
  const one = event('1', 'once')
  const request = { session: struck, events: [one] }
  expect(await here.store.commit(request).catch(codeOf)).toBe('durability_timeout')
  for (const session of others)
    expect((await commit(here.store, { session, events: events(1) })).first).toBe(1)
  await cluster.replicas[0]?.kill('SIGCONT')
  // It is there, and now that the replica has it the caller is told so.
  await eventually(async () =>
    expect(await here.store.commit(request).catch(codeOf)).toMatchObject({ outcome: 'duplicate' }),
  )
}, 60_000)

it('goes on where a primary of the Cluster dies, and loses nothing that a replica confirmed', async () => {
  const { cluster, here, there, sessions } = await replicatedCluster(30_000)
  const [struck] = sessions as [SessionId]
  const listening = await listen(there, struck)
  await hearsFrom(listening, here, struck, 'before')
  let restored = 0
  there.signals.onRestored(() => restored++)

  const acknowledged = new Map<SessionId, Map<number, string>>()
  const countOf = (session: SessionId): number => acknowledged.get(session)?.size ?? 0
  const writing = new AbortController()
  const write = async (session: SessionId): Promise<void> => {
    const stands = new Map<number, string>()
    acknowledged.set(session, stands)
    while (!writing.signal.aborted) await appendOne(here.store, session, stands)
  }
  const writers = sessions.map(write)
  const grown = (session: SessionId, by: number, withinMs = 30_000) => {
    const wanted = countOf(session) + by
    return until('commits', () => countOf(session) >= wanted, { withinMs })
  }
  await Promise.all(sessions.map((session) => grown(session, 20)))

  const [primary] = cluster.nodes
  await primary?.kill()
  await until('the replica is primary', async () => {
    const info = (await cluster.replicas[0]?.ask('info', 'replication')) ?? ''
    return info.includes('role:master')
  })
  // The other primaries serve on meanwhile.
  await Promise.all(sessions.slice(1).map((session) => grown(session, 20)))
  // It comes back as the replica that is to confirm.
  await primary?.restart()
  await grown(struck, 20)
  writing.abort()
  await Promise.all(writers)

  await eventually(() => expect(restored).toBeGreaterThan(0))
  await hearsFrom(listening, here, struck, 'after')
  for (const session of sessions) {
    const log = await readAll(there.store, session)
    expectChain(log, await headOf(there.store, session))
    for (const [serial, tag] of acknowledged.get(session) ?? [])
      expect(log[serial - 1]?.tag).toBe(tag)
  }
  expect((await there.store.check()).detail).toBe('Redis keeps "replicated" of "replicated"')
}, 90_000)
