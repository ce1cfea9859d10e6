import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  commit,
  create,
  event,
  events,
  eventually,
  expectChain,
  headOf,
  readAll,
} from '../contract/store/kit.ts'
import { server, open, outcome, recordKey } from '../support/redis-case.ts'
import { openOn } from '../support/redis-store.ts'

describe('limits and settings', () => {
  it('of memory refuse commits with storage_full, keep what there is, and let a trim make room', async () => {
    const redis = await server({ maxmemory: '8mb', 'maxmemory-policy': 'noeviction' })
    const { store } = await open(redis.url)
    const { session } = await create(store)
    const body = `"${'x'.repeat(50_000)}"`
    let stored = 0
    let refused = ''
    while (refused === '') {
      const result = await outcome(store.commit({ session, events: [event(body)] }))
      if (result === 'committed') stored++
      else refused = result
    }
    expect(refused).toBe('storage_full')
    const head = await headOf(store, session)
    expect(head.head).toBe(stored)
    const policy = {
      maxEvents: 5,
      maxBytes: null,
      maxAgeMs: null,
      notAfter: head.head,
      limit: 1000,
    }
    for (let more = true; more;) more = (await store.trim(session, policy))?.more ?? false
    await eventually(async () =>
      expect(await outcome(store.commit({ session, events: events(1) }))).toBe('committed'),
    )
    expectChain(await readAll(store, session), await headOf(store, session))
  })

  it('of scripts: a server that has forgotten them is told them again', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    const { session } = await create(store, { events: events(1) })
    await redis.ask('script', 'flush')
    await Promise.all(
      Array.from({ length: 100 }, () => commit(store, { session, events: events(1) })),
    )
    await redis.ask('script', 'flush')
    expect(await readAll(store, session)).toHaveLength(101)
    await redis.ask('script', 'flush')
    expect(await store.remove(session)).toBe(true)
  })

  it.each([
    ['evicts', { 'maxmemory-policy': 'allkeys-lru' }, 'async', /noeviction/],
    ['keeps no file', { appendonly: 'no' }, 'async', /appendonly/],
    ['syncs once a second', { appendfsync: 'everysec' }, 'fsync', /everysec/],
    ['has no replica', { 'min-replicas-to-write': '0' }, 'replicated', /replicas/],
  ] as const)('of a Redis that %s are not enough', async (_, settings, durability, why) => {
    const redis = await server(settings)
    await expect(openOn(redis.url, { durability, strict: true })).rejects.toThrow(why)
    const { store } = await open(redis.url, { durability, strict: false })
    const health = await store.check()
    expect(health.detail).toMatch(why)
    expect(health.ok).toBe(false)
    if (_ !== 'evicts') expect(store.durability).not.toBe(durability)
  })

  it.each([300_000, -300_000])(
    'of a clock that is %d ms from that of Redis are told, at the start and when it is looked at; those of one that is not are no news',
    async (byMs) => {
      const redis = await server()
      const warn = vi.fn<(event: string, fields?: object) => void>()
      const log = { info: () => undefined, warn, error: () => undefined }
      const { store } = await open(redis.url, { log })
      await store.check()
      expect(warn).not.toHaveBeenCalled()

      const real = Date.now.bind(Date)
      vi.spyOn(Date, 'now').mockImplementation(() => real() + byMs)
      onTestFinished(() => void vi.restoreAllMocks())
      await open(redis.url, { log })
      expect((await store.check()).ok).toBe(true)
      const told = warn.mock.calls.map(([event, fields]) => ({ event, ...fields }))
      const aheadMs = expect.closeTo(-byMs, -4) as number
      expect(told).toEqual(
        Array.from({ length: 2 }, () => ({ event: 'redis.clock_apart', aheadMs })),
      )
    },
  )

  it('that sync every write are named fsync', async () => {
    const redis = await server({ appendfsync: 'always' })
    const { store } = await open(redis.url, { durability: 'fsync' })
    expect(store.durability).toBe('fsync')
    expect((await store.check()).ok).toBe(true)
  })

  it('that change while the store is open are found by the next check', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    await redis.ask('config', 'set', 'maxmemory-policy', 'allkeys-lru')
    const health = await store.check()
    expect(health).toMatchObject({ ok: false, detail: expect.stringContaining('noeviction') })
  })
})

describe('a replicated store', () => {
  async function pair() {
    const primary = await server({ 'min-replicas-to-write': '1', 'repl-diskless-sync-delay': '0' })
    const replica = await server({ replicaof: `127.0.0.1 ${primary.port}` })
    await eventually(async () =>
      expect(await primary.ask('info', 'replication')).toContain('state=online'),
    )
    await eventually(async () =>
      expect(await primary.ask('set', 'x', '1')).not.toContain('NOREPLICAS'),
    )
    return { primary, replica }
  }

  it('acknowledges what a replica has', async () => {
    const { primary, replica } = await pair()
    const { store } = await open(primary.url, { durability: 'replicated' })
    expect(store.durability).toBe('replicated')
    const { session } = await create(store)
    await Promise.all(
      Array.from({ length: 200 }, () => commit(store, { session, events: events(1) })),
    )
    const log = recordKey(session).replace(':r:', ':l:')
    expect(await replica.ask('xlen', log)).toBe(':200\r\n')
  })

  it('says durability_timeout when no replica confirms, and the retry is recognised', async () => {
    const { primary, replica } = await pair()
    const { store } = await open(primary.url, { durability: 'replicated' })
    const { session } = await create(store)
    await replica.kill('SIGSTOP')
    const request = { session, events: [event('1', 'once')] }
    expect(await outcome(store.commit(request))).toBe('durability_timeout')
    await replica.kill('SIGCONT')
    await eventually(async () => expect(await outcome(store.commit(request))).toBe('duplicate'))
    expect((await headOf(store, session)).head).toBe(1)
  })
})
