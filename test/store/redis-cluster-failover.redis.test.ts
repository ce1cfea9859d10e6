import { afterEach, expect, it } from 'vitest'
import { HeldlineError } from '../../src/protocol/errors.ts'
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
import { codeOf } from '../support/redis-case.ts'
import { startCluster } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'
import { until } from '../support/until.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** A Cluster with a replica for each primary, two nodes on it, and a session on each primary, in order. */
async function replicatedCluster(deadlineMs: number) {
  const cluster = await startCluster(3, { 'min-replicas-to-write': '1' }, { replicated: true })
  cleanups.push(() => cluster.stop())
  const open = async (index: number) => {
    const opened = await openOn(cluster.nodes[index]?.url ?? '', {
      cluster: true,
      durability: 'replicated',
      replicas: 1,
      deadlineMs,
    })
    cleanups.push(() => opened.store.close())
    return { ...opened, close: () => opened.store.close() }
  }
  // The one opens by the first primary, the other by another one.
  const [here, there] = [await open(0), await open(1)]
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
  const { heard } = await listen(there, struck)
  const hearsTheOther = async (text: string) => {
    await eventually(() => {
      here.signals.send(struck, text)
      expect(heard.at(-1)).toEqual({ kind: 'signal', payload: text })
    })
    const { last } = await commit(here.store, { session: struck, events: events(1) })
    await eventually(() => expect(heard.at(-1)).toMatchObject({ kind: 'committed', last }))
  }
  await hearsTheOther('before')
  let restored = 0
  there.signals.onRestored(() => restored++)

  const acknowledged = new Map<SessionId, Map<number, string>>()
  const counts = new Map<SessionId, number>(sessions.map((session) => [session, 0]))
  const writing = new AbortController()
  const write = async (session: SessionId): Promise<void> => {
    const stands = new Map<number, string>()
    acknowledged.set(session, stands)
    while (!writing.signal.aborted) {
      const one = event()
      try {
        const { first } = await commit(here.store, { session, events: [one] })
        stands.set(first, one.tag)
        counts.set(session, stands.size)
      } catch (error) {
        if (!(error instanceof HeldlineError) || error.code !== 'durability_timeout') throw error
      }
    }
  }
  const writers = sessions.map(write)
  const grown = (session: SessionId, by: number, withinMs = 30_000) => {
    const wanted = (counts.get(session) ?? 0) + by
    return until('commits', () => (counts.get(session) ?? 0) >= wanted, { withinMs })
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
  await hearsTheOther('after')
  for (const session of sessions) {
    const log = await readAll(there.store, session)
    expectChain(log, await headOf(there.store, session))
    for (const [serial, tag] of acknowledged.get(session) ?? [])
      expect(log[serial - 1]?.tag).toBe(tag)
  }
  expect((await there.store.check()).detail).toBe('Redis keeps "replicated" of "replicated"')
}, 90_000)
