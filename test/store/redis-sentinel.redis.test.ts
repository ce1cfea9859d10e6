import { afterEach, expect, it } from 'vitest'
import { HeldlineError } from '../../src/protocol/errors.ts'
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
import { startFakeSentinel } from '../support/fake-sentinel.ts'
import { startRedis, startSentinel } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'
import { startProxy } from '../support/tcp-proxy.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})
async function kept<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting
  cleanups.push(() => server.stop())
  return server
}

it(
  'follows a Sentinel to the new primary, and loses nothing that a replica confirmed',
  { timeout: 90_000 },
  async () => {
    const primary = await kept(startRedis({ 'repl-diskless-sync-delay': '0' }))
    const replica = await kept(
      startRedis({ replicaof: `127.0.0.1 ${primary.port}`, 'repl-diskless-sync-delay': '0' }),
    )
    await eventually(async () =>
      expect(await primary.ask('info', 'replication')).toContain('state=online'),
    )
    await primary.ask('config', 'set', 'min-replicas-to-write', '1')
    const sentinel = await kept(startSentinel(primary))
    await eventually(async () =>
      expect(await sentinel.ask('sentinel', 'replicas', 'main')).toContain(`${replica.port}`),
    )
    const opened = await openOn('redis://127.0.0.1', {
      sentinel: { name: 'main', urls: [sentinel.url] },
      durability: 'replicated',
      deadlineMs: 30_000,
    })
    cleanups.push(() => opened.store.close())
    const { store, signals } = opened
    const { session } = await create(store)
    const { heard, close } = await listen({ ...opened, close: () => store.close() }, session)
    let restored = 0
    signals.onRestored(() => restored++)

    const acknowledged = new Map<number, string>()
    const append = async (): Promise<void> => {
      const one = event()
      try {
        const { first } = await commit(store, { session, events: [one] })
        acknowledged.set(first, one.tag)
      } catch (error) {
        // Stored but not confirmed, while the new primary has no replica of its own.
        if (!(error instanceof HeldlineError) || error.code !== 'durability_timeout') throw error
      }
    }
    await Promise.all(Array.from({ length: 50 }, append))
    await primary.kill()
    await Promise.all(Array.from({ length: 50 }, append))

    expect(await replica.ask('info', 'replication')).toContain('role:master')
    await eventually(() => expect(restored).toBeGreaterThan(0))
    const log = await readAll(store, session)
    expectChain(log, await headOf(store, session))
    expect(log).toHaveLength(100)
    for (const [serial, tag] of acknowledged) expect(log[serial - 1]?.tag).toBe(tag)
    const told = heard.flatMap((wake) =>
      wake.kind === 'committed' ? wake.events.map(({ serial }) => serial) : [],
    )
    expect(told).toEqual(log.map(({ serial }) => serial))
    close()
  },
)

it('goes on where word of a failover comes in the middle of connecting, which ends the client beneath', async () => {
  const redis = await kept(startRedis())
  const proxy = await startProxy(redis.port)
  cleanups.push(() => proxy.close())
  const sentinel = await startFakeSentinel(proxy.port)
  cleanups.push(() => sentinel.close())
  const here = await openOn('redis://main', { sentinel: { name: 'main', urls: [sentinel.url] } })
  cleanups.push(() => here.store.close())
  const there = await openOn(redis.url)
  cleanups.push(() => there.store.close())
  const { session } = await create(here.store)
  const { heard, close } = await listen({ ...here, close: () => here.store.close() }, session)
  const hearsTheOther = async (round: number) => {
    await eventually(() => {
      there.signals.send(session, `round ${round}`)
      expect(heard.at(-1)).toEqual({ kind: 'signal', payload: `round ${round}` })
    })
    const { last } = await commit(there.store, { session, events: events(1) })
    await eventually(() => expect(heard.at(-1)).toMatchObject({ kind: 'committed', last }))
  }
  await hearsTheOther(0)
  const connections = 3
  await eventually(() => expect(sentinel.subscribers).toBe(connections))

  for (let round = 1; round <= 3; round++) {
    sentinel.hold()
    proxy.cut()
    await eventually(() => expect(sentinel.held).toBe(connections))
    sentinel.announceFailover()
    // Each has heard it, and let go of its Sentinel, while it still waits for the answer.
    await eventually(() => expect(sentinel.subscribers).toBe(0))
    sentinel.release()
    await eventually(() => expect(sentinel.subscribers).toBe(connections))
    await commit(here.store, { session, events: events(1) })
    await hearsTheOther(round)
  }
  expectChain(await readAll(here.store, session), await headOf(there.store, session))
  close()
})
