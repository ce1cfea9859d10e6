import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SessionId } from '../../src/protocol/ids.ts'
import { bucketOf, keysOf, slotOf } from '../../src/store/redis/keys.ts'
import { describeStoreContract } from '../contract/store.ts'
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
import { type RedisServer, startCluster } from '../support/redis-server.ts'
import { openOn, openOnCluster } from '../support/redis-store.ts'

// Every key that a script touches is passed to it: a Cluster refuses any other.
describeStoreContract('redis cluster', openOnCluster)

describe('on a Cluster', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>
  let here: Awaited<ReturnType<typeof openOn>>
  let there: Awaited<ReturnType<typeof openOn>>
  beforeAll(async () => {
    cluster = await startCluster()
    const [first, second] = cluster.nodes
    here = await openOn(first?.url ?? '', { cluster: true })
    there = await openOn(second?.url ?? '', { cluster: true })
  })
  afterAll(async () => {
    await here.store.close()
    await there.store.close()
    await cluster.stop()
  })

  /** A session for each primary. */
  async function sessions(): Promise<SessionId[]> {
    const found = new Map<number, SessionId>()
    while (found.size < cluster.nodes.length) {
      const { session } = await create(here.store)
      found.set(Math.floor((slotOf(bucketOf(session)) * cluster.nodes.length) / 16_384), session)
    }
    return [...found.values()]
  }

  async function hearing(session: SessionId) {
    const listening = await listen({ ...there, close: () => there.store.close() }, session)
    await eventually(async () => {
      here.signals.send(session, 'across')
      expect(listening.heard.length).toBeGreaterThan(0)
    })
    return listening
  }

  it('wakes subscribers of other nodes, whichever primary has the session', async () => {
    for (const session of await sessions()) {
      const { heard, close } = await hearing(session)
      await commit(here.store, { session, events: events(2) })
      await eventually(() => expect(heard.at(-1)).toMatchObject({ kind: 'committed', last: 2 }))
      close()
    }
  })

  it('keeps order and wake-ups while the slot of a session moves to another primary', async () => {
    const [session] = (await sessions()) as [SessionId]
    const { heard, close } = await hearing(session)
    let restored = 0
    const subscription = there.signals.onRestored(() => restored++)
    const writing = new AbortController()
    let written = 0
    const writers = Array.from({ length: 8 }, async () => {
      while (!writing.signal.aborted) {
        await commit(here.store, { session, events: [event()] })
        written++
      }
    })
    await eventually(() => expect(written).toBeGreaterThan(100))
    await moveSlot(cluster.nodes, slotOf(bucketOf(session)))
    const before = written
    await eventually(() => expect(written).toBeGreaterThan(before + 100))
    writing.abort()
    await Promise.all(writers)

    const log = await readAll(here.store, session)
    expect(log).toHaveLength(written)
    expectChain(log, await headOf(there.store, session))
    await eventually(() => expect(restored).toBeGreaterThan(0))
    await eventually(async () => {
      const { last } = await commit(here.store, { session, events: events(1) })
      await eventually(() => expect(heard.at(-1)).toMatchObject({ kind: 'committed', last }))
    })
    subscription.close()
    close()
  })

  it('finds what is due, and lists, over all primaries', async () => {
    const made = await Promise.all(
      Array.from({ length: 40 }, () =>
        create(here.store, { deadlines: [{ deadline: 'd', inMs: -1 }] }),
      ),
    )
    const due = new Set((await there.store.due(1000)).map(({ session }) => session))
    for (const { session } of made) expect(due).toContain(session)
    const owners = new Set(made.map(({ session }) => slotOf(keysOf(session).bucket) % 3))
    expect(owners.size).toBe(3)
  })
})

/** Moves a slot from the primary that has it to the next, with its keys, as `redis-cli --cluster reshard` does. */
async function moveSlot(nodes: readonly RedisServer[], slot: number): Promise<void> {
  const ids = await Promise.all(
    nodes.map(async (node) => /[0-9a-f]{40}/.exec(await node.ask('cluster', 'myid'))?.[0] ?? ''),
  )
  const from = Math.floor((slot * nodes.length + nodes.length - 1) / 16_384) % nodes.length
  const to = (from + 1) % nodes.length
  const [source, target] = [nodes[from], nodes[to]] as [RedisServer, RedisServer]
  await target.ask('cluster', 'setslot', `${slot}`, 'importing', ids[from] ?? '')
  await source.ask('cluster', 'setslot', `${slot}`, 'migrating', ids[to] ?? '')
  for (;;) {
    const keys = (await source.ask('cluster', 'getkeysinslot', `${slot}`, '100'))
      .split('\r\n')
      .filter((line) => line.startsWith('hl:'))
    if (keys.length === 0) break
    await source.ask('migrate', '127.0.0.1', `${target.port}`, '', '0', '5000', 'keys', ...keys)
  }
  for (const node of [target, source, ...nodes]) {
    await node.ask('cluster', 'setslot', `${slot}`, 'node', ids[to] ?? '')
  }
}
