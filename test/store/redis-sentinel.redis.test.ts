import { expect, it } from 'vitest'
import {
  commit,
  create,
  events,
  eventually,
  expectChain,
  headOf,
  listen,
  readAll,
} from '../contract/store/kit.ts'
import { startFakeSentinel } from '../support/fake-sentinel.ts'
import {
  appendOne,
  closedAfter,
  hearsFrom,
  kept,
  open,
  proxyOf,
  server,
} from '../support/redis-case.ts'
import { startSentinel } from '../support/redis-server.ts'

it(
  'follows a Sentinel to the new primary, and loses nothing that a replica confirmed',
  { timeout: 90_000 },
  async () => {
    const primary = await server({ 'repl-diskless-sync-delay': '0' })
    const replica = await server({
      replicaof: `127.0.0.1 ${primary.port}`,
      'repl-diskless-sync-delay': '0',
    })
    await eventually(async () =>
      expect(await primary.ask('info', 'replication')).toContain('state=online'),
    )
    await primary.ask('config', 'set', 'min-replicas-to-write', '1')
    const sentinel = await kept(startSentinel(primary))
    await eventually(async () =>
      expect(await sentinel.ask('sentinel', 'replicas', 'main')).toContain(`${replica.port}`),
    )
    const opened = await open('redis://127.0.0.1', {
      sentinel: { name: 'main', urls: [sentinel.url] },
      durability: 'replicated',
      deadlineMs: 30_000,
    })
    const { store, signals } = opened
    const { session } = await create(store)
    const { heard, close } = await listen(opened, session)
    let restored = 0
    signals.onRestored(() => restored++)

    const acknowledged = new Map<number, string>()
    const append = (): Promise<void> => appendOne(store, session, acknowledged)
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
  const redis = await server()
  const { proxy } = await proxyOf(redis.port)
  const sentinel = await startFakeSentinel(proxy.port)
  closedAfter(sentinel)
  const here = await open('redis://main', { sentinel: { name: 'main', urls: [sentinel.url] } })
  const there = await open(redis.url)
  const { session } = await create(here.store)
  const listening = await listen(here, session)
  await hearsFrom(listening, there, session, 'round 0')
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
    await hearsFrom(listening, there, session, `round ${round}`)
  }
  expectChain(await readAll(here.store, session), await headOf(there.store, session))
  listening.close()
})
