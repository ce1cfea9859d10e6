import { afterEach, expect, it } from 'vitest'
import { HeldlineError } from '../../src/protocol/errors.ts'
import {
  commit,
  create,
  event,
  eventually,
  expectChain,
  headOf,
  listen,
  readAll,
} from '../contract/store/kit.ts'
import { startRedis, startSentinel } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'

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
