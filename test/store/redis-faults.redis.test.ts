import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeHead } from '../../src/protocol/codec.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { keysOf } from '../../src/store/redis/keys.ts'
import type { RedisStoreOptions } from '../../src/store/redis/open.ts'
import {
  commit,
  create,
  event,
  events,
  eventually,
  expectChain,
  headOf,
  listen,
  newEpoch,
  newSession,
  readAll,
} from '../contract/store/kit.ts'
import { type RedisServer, type RedisSettings, startRedis } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'
import { startProxy } from '../support/tcp-proxy.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function server(settings: RedisSettings = {}): Promise<RedisServer> {
  const started = await startRedis(settings)
  cleanups.push(() => started.stop())
  return started
}

async function proxyOf(port: number) {
  const proxy = await startProxy(port)
  cleanups.push(() => proxy.close())
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` }
}

async function open(url: string, options: Partial<RedisStoreOptions> = {}) {
  const opened = await openOn(url, options)
  cleanups.push(() => opened.store.close())
  return { ...opened, close: () => opened.store.close() }
}

type Opened = Awaited<ReturnType<typeof open>>

/** Listens on one node, until what another one sends is surely heard. */
async function listenFrom(there: Opened, here: Opened, session: SessionId) {
  const listening = await listen(there, session)
  await eventually(() => {
    here.signals.send(session, 'across')
    expect(listening.heard.length).toBeGreaterThan(0)
  })
  here.signals.send(session, 'last')
  await eventually(() => expect(listening.heard.at(-1)).toMatchObject({ payload: 'last' }))
  listening.heard.length = 0
  return listening
}

const codeOf = (error: unknown): string =>
  error instanceof HeldlineError ? error.code : String(error)
/** A commit's outcome, or the code of its error. */
const outcome = (work: Promise<{ readonly outcome: string }>): Promise<string> =>
  work.then((result) => result.outcome, codeOf)

describe('a reply that is lost', () => {
  it('costs no event and doubles none: the commit is repeated, and stands once', async () => {
    const redis = await server()
    const { proxy, url } = await proxyOf(redis.port)
    const { store } = await open(url)
    const { session } = await create(store)
    for (let round = 0; round < 20; round++) {
      const marker = `round-${round}.`
      proxy.mode = 'hold'
      const delivered = proxy.seen('request', (chunk) => chunk.includes(marker))
      const one = commit(store, { session, events: [event(`"${marker}"`)] })
      const two = commit(store, { session, writes: [{ field: 'round', value: marker }] })
      const three = commit(store, { session, events: events(2) })
      await delivered
      await eventually(async () =>
        expect(await redis.ask('info', 'commandstats')).toMatch(/cmdstat_evalsha/),
      )
      proxy.mode = 'pass'
      proxy.cut()
      const answers = await Promise.all([one, two, three])
      expect(answers.map(({ first }) => first)).toEqual([
        3 * round + 1,
        3 * round + 2,
        3 * round + 2,
      ])
    }
    const log = await readAll(store, session)
    expect(log).toHaveLength(60)
    expectChain(log, await headOf(store, session))
  })

  it('of a removal is asked for again, and the answer is the first one', async () => {
    const redis = await server()
    const { proxy, url } = await proxyOf(redis.port)
    const { store } = await open(url)
    const { session } = await create(store, { events: events(1) })
    proxy.mode = 'hold'
    const removing = store.remove(session)
    await eventually(async () =>
      expect(await redis.ask('exists', recordKey(session))).toBe(':0\r\n'),
    )
    proxy.mode = 'pass'
    proxy.cut()
    expect(await removing).toBe(true)
  })

  it('for longer than a commit may take is an outcome that nobody knows', async () => {
    const redis = await server()
    const { proxy, url } = await proxyOf(redis.port)
    const { store, signals } = await open(url, { deadlineMs: 400 })
    const { session } = await create(store)
    let restored = 0
    signals.onRestored(() => restored++)
    proxy.mode = 'hold'
    expect(await outcome(store.commit({ session, events: events(1) }))).toBe('outcome_unknown')
    expect(restored).toBeGreaterThan(0)
    proxy.mode = 'pass'
    proxy.cut()
    await eventually(async () => expect((await headOf(store, session)).head).toBe(1))
  })
})

describe('a Redis that is away', () => {
  it('is waited for within the time of a commit', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    const { session } = await create(store)
    await redis.kill()
    const writing = commit(store, { session, events: events(1) })
    await redis.restart()
    expect((await writing).first).toBe(1)
  })

  it('for longer refuses commits that were never sent, and says so', async () => {
    const redis = await server()
    const { store } = await open(redis.url, { deadlineMs: 300 })
    const { session } = await create(store)
    await redis.kill()
    await eventually(async () => {
      expect(await outcome(store.commit({ session, events: events(1) }))).toBe('store_unavailable')
    })
    expect((await store.check()).ok).toBe(false)
    await expect(store.heads([session])).rejects.toMatchObject({ code: 'store_unavailable' })
    await redis.restart()
    await eventually(async () => expect((await store.check()).ok).toBe(true))
    await eventually(async () =>
      expect(await outcome(store.commit({ session, events: events(1) }))).toBe('committed'),
    )
    expectChain(await readAll(store, session), await headOf(store, session))
  })

  it('swallows everything: the connection is given up, and another serves the commit', async () => {
    const redis = await server()
    const { proxy, url } = await proxyOf(redis.port)
    const { store } = await open(url, { deadlineMs: 10_000 })
    const { session } = await create(store)
    proxy.mode = 'hole'
    const swallowed = proxy.seen('request', (chunk) => chunk.includes('x.test'))
    const writing = commit(store, { session, events: events(1) })
    await swallowed
    proxy.mode = 'pass' // For new connections: the old ones stay as they are.
    expect((await writing).first).toBe(1)
    expect((await headOf(store, session)).head).toBe(1)
  }, 15_000)

  it('stands still and goes on: nothing is doubled', async () => {
    const redis = await server()
    const { proxy, url } = await proxyOf(redis.port)
    const { store } = await open(url, { deadlineMs: 15_000 })
    const { session } = await create(store)
    const isCommit = (chunk: Buffer): boolean => chunk.includes('x.test')
    await redis.kill('SIGSTOP')
    const first = proxy.seen('request', isCommit)
    const writing = Array.from({ length: 30 }, () => commit(store, { session, events: events(1) }))
    await first
    // The node has given up the connection and makes another, while what it sent still lies there.
    await proxy.seen('request', (chunk) => /hello/i.test(chunk.toString()))
    await redis.kill('SIGCONT')
    await Promise.all(writing)
    const log = await readAll(store, session)
    expect(log).toHaveLength(30)
    expectChain(log, await headOf(store, session))
  }, 20_000)
})

describe('a storm of commits', () => {
  it('keeps every acknowledged event over a kill and restart of Redis', async () => {
    const redis = await server({ appendfsync: 'everysec' })
    const { store } = await open(redis.url)
    const sessions = await Promise.all(
      Array.from({ length: 10 }, async () => (await create(store)).session),
    )
    const acknowledged = new Map<string, string>()
    const storm = new AbortController()
    const workers = Array.from({ length: 40 }, async (_, worker) => {
      const session = sessions[worker % sessions.length] ?? newSession()
      while (!storm.signal.aborted) {
        const { tag } = event()
        const body = event(`"${tag}"`)
        const result = await store.commit({ session, events: [{ ...body, tag }] }).catch(codeOf)
        if (typeof result === 'string') expect(result).not.toBe('internal')
        else if (result.outcome === 'committed') {
          acknowledged.set(`${session} ${result.first}`, tag)
        }
      }
    })
    for (let kills = 1; kills <= 2; kills++) {
      await eventually(() => expect(acknowledged.size).toBeGreaterThan(kills * 1000))
      await redis.restart()
    }
    const sofar = acknowledged.size
    await eventually(() => expect(acknowledged.size).toBeGreaterThan(sofar + 200))
    storm.abort()
    await Promise.all(workers)

    let stored = 0
    for (const session of sessions) {
      const log = await readAll(store, session)
      expectChain(log, await headOf(store, session))
      stored += log.length
      for (const { serial, tag } of log) {
        const known = acknowledged.get(`${session} ${serial}`)
        if (known !== undefined) expect(known).toBe(tag)
      }
    }
    expect(stored).toBeGreaterThanOrEqual(acknowledged.size)
  }, 40_000)
})

describe('wake-ups', () => {
  it('come again after the subscriber connection was killed, and the loss is told', async () => {
    const redis = await server()
    const here = await open(redis.url)
    const there = await open(redis.url)
    const { session } = await create(here.store)
    const { heard, close } = await listenFrom(there, here, session)
    let restored = 0
    there.signals.onRestored(() => restored++)
    for (let kills = 1; kills <= 5; kills++) {
      await redis.ask('client', 'kill', 'type', 'pubsub')
      await eventually(() => expect(restored).toBeGreaterThanOrEqual(kills))
      const seen = heard.length
      await commit(here.store, { session, events: events(1) })
      await eventually(() => expect(heard.length).toBeGreaterThan(seen))
    }
    close()
  })

  it('of another node carry the events, checked, when they are small, and only the serials when not', async () => {
    const redis = await server()
    const here = await open(redis.url)
    const there = await open(redis.url)
    const { session } = await create(here.store)
    const { heard, close } = await listenFrom(there, here, session)
    await commit(here.store, { session, events: events(3) })
    await commit(here.store, { session, events: [event(`"${'x'.repeat(20_000)}"`)] })
    await eventually(() => expect(heard).toHaveLength(2))
    const log = await readAll(here.store, session)
    expect(heard[0]).toMatchObject({ first: 1, last: 3, events: log.slice(0, 3) })
    expect(heard[1]).toMatchObject({ first: 4, last: 4, events: [] })
    await here.store.remove(session)
    await eventually(() => expect(heard.at(-1)).toEqual({ kind: 'removed' }))
    close()
  })

  it('of this node do not come back as another one', async () => {
    const redis = await server()
    const here = await open(redis.url)
    const there = await open(redis.url)
    const { session } = await create(here.store)
    const theirs = await listenFrom(there, here, session)
    const mine = await listen(here, session)
    for (let index = 0; index < 20; index++) {
      await commit(here.store, { session, events: events(1) })
    }
    await eventually(() => expect(theirs.heard).toHaveLength(20))
    here.signals.send(session, 'last')
    await eventually(() => expect(theirs.heard).toHaveLength(21))
    expect(mine.heard).toHaveLength(21)
    mine.close()
    theirs.close()
  })

  it('are subscribed to once a session, and not at all when nobody is left', async () => {
    const redis = await server()
    const { store, signals } = await open(redis.url)
    const sessions = await Promise.all(
      Array.from({ length: 500 }, async () => (await create(store)).session),
    )
    const channels = async () =>
      Number((await redis.ask('pubsub', 'channels')).match(/\*(\d+)/)?.[1])
    const subscriptions = [...sessions, ...sessions].map((session) =>
      signals.subscribe(session, () => undefined),
    )
    await eventually(async () => expect(await channels()).toBe(500))
    for (const subscription of subscriptions.slice(0, 500)) subscription.close()
    expect(signals.channels).toBe(500)
    for (const subscription of subscriptions) subscription.close()
    await eventually(async () => expect(await channels()).toBe(0))
    expect(signals.channels).toBe(0)
  })
})

describe('lost data', () => {
  it('after a flush is missing, and made again under another epoch', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    const { session, epoch } = await create(store, { events: events(5) })
    await redis.ask('flushall')
    expect(await store.heads([session])).toEqual([null])
    expect(await outcome(store.commit({ session, events: events(1) }))).toBe('missing')
    await commit(store, { session, create: { epoch: newEpoch() }, events: events(1) })
    const head = await headOf(store, session)
    expect(head.epoch).not.toBe(epoch)
    expect(head.head).toBe(1)
  })

  it('of a record alone drops the orphaned log when the session is made again', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    const { session } = await create(store, { events: events(5) })
    await redis.ask('del', recordKey(session))
    expect(await store.read(session, { after: 0, limit: 10, maxBytes: 1000 })).toBeNull()
    await commit(store, { session, create: { epoch: newEpoch() }, events: events(2) })
    expect(await readAll(store, session)).toHaveLength(2)
  })

  it('of a log alone makes the session missing: its serials are never given again under the epoch', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    const deadlines = [{ deadline: 'd', inMs: 3_600_000 }]
    const { session } = await create(store, { events: events(5), deadlines })
    await redis.ask('del', recordKey(session).replace(':r:', ':l:'))
    const range = { after: 0, limit: 10, maxBytes: 1000 }
    expect(await store.read(session, range)).toBeNull()
    expect(await store.heads([session])).toEqual([null])
    expect(await outcome(store.commit({ session, events: events(1) }))).toBe('missing')
    expect(await outcome(store.commit({ session, writes: [] }))).toBe('missing')
    expect(await outcome(store.commit({ session, guards: [{ deadline: 'd', at: 1 }] }))).toBe(
      'missing',
    )
    await commit(store, { session, create: { epoch: newEpoch() }, events: events(1) })
    expect((await headOf(store, session)).head).toBe(1)
    expect(await redis.ask('zcard', recordKey(session).replace(/r:.*/, 'due'))).toBe(':0\r\n')
  })

  it('of acknowledged events by a failover shows in other tags under the same serials', async () => {
    const primary = await server({ 'repl-diskless-sync-delay': '0' })
    const { proxy: replication } = await proxyOf(primary.port)
    const replica = await server({ replicaof: `127.0.0.1 ${replication.port}` })
    await eventually(async () =>
      expect(await replica.ask('info', 'replication')).toContain('master_link_status:up'),
    )
    const before = await open(primary.url)
    const { session, epoch } = await create(before.store, { events: events(10) })
    await eventually(async () =>
      expect(await replica.ask('xlen', recordKey(session).replace(':r:', ':l:'))).toBe(':10\r\n'),
    )
    replication.mode = 'hole'
    const lost = await commit(before.store, { session, events: events(5) })
    const oldTags = new Map((await readAll(before.store, session)).map((e) => [e.serial, e.tag]))
    await primary.kill()
    await replica.ask('replicaof', 'no', 'one')
    const after = await open(replica.url)
    await commit(after.store, { session, events: events(8) })
    const head = await headOf(after.store, session)
    expect(head).toMatchObject({ epoch, head: expect.toSatisfy((n: number) => n > 10) })
    const log = await readAll(after.store, session)
    expectChain(log, head)
    const [at] = log.filter(({ serial }) => serial === lost.last)
    expect(at?.tag).not.toBe(oldTags.get(lost.last))
  })

  it('in an event is never given as good: what is before it is, then the damage is told', async () => {
    const redis = await server()
    const { store } = await open(redis.url)
    const { session } = await create(store, { events: events(5) })
    const log = recordKey(session).replace(':r:', ':l:')
    const entry = await redis.ask('xrange', log, '3-0', '3-0')
    const text = /[0-9a-f]{8}\{"serial":3[^\r]*/.exec(entry)?.[0] ?? ''
    // The same stream with one digit of one payload changed, as a flipped bit would.
    const rest = await readAll(store, session)
    await redis.ask('del', log)
    for (const { serial, text: good } of rest) {
      const crc = serial === 3 ? text.slice(0, 8) : checksumOf(good)
      const body = serial === 3 ? good.replace('"data":2', '"data":7') : good
      await redis.ask('xadd', log, `${serial}-0`, 'e', crc + body)
    }
    const range = { limit: 10, maxBytes: 100_000 }
    const page = await store.read(session, { after: 0, ...range })
    expect(page?.events.map(({ serial }) => serial)).toEqual([1, 2])
    await expect(store.read(session, { after: 2, ...range })).rejects.toMatchObject({
      code: 'event_corrupt',
      facts: { serial: 3 },
    })
    expect((await store.read(session, { after: 3, ...range }))?.events).toHaveLength(2)
  })
})

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

function checksumOf(text: string): string {
  const [head, body] = [decodeHead(text), text.replace(/^.*?"at":\d+,/, '')]
  return crc32(`${head?.tag}${body}`).toString(16).padStart(8, '0')
}

function recordKey(session: string): string {
  return keysOf(session as SessionId).record
}
