import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  commit,
  create,
  event,
  events,
  eventually,
  expectChain,
  headOf,
  newSession,
  readAll,
} from '../contract/store/kit.ts'
import { server, proxyOf, open, codeOf, outcome, recordKey } from '../support/redis-case.ts'

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

  it.each([3_600_000, -3_600_000])(
    'is waited for as long as said where the clock of the machine is set by %d ms meanwhile, as it often is where a network comes back',
    async (byMs) => {
      const redis = await server()
      const { store } = await open(redis.url, { deadlineMs: 2000 })
      const { session } = await create(store)
      await redis.kill()
      await eventually(async () => expect((await store.check()).ok).toBe(false))
      const began = performance.now()
      const refused = Promise.all([
        outcome(store.commit({ session, events: events(1) })),
        outcome(store.fields(session, ['x']).then(() => ({ outcome: 'read' }))),
      ])
      const real = Date.now.bind(Date)
      vi.spyOn(Date, 'now').mockImplementation(() => real() + byMs)
      onTestFinished(() => void vi.restoreAllMocks())
      expect(await refused).toEqual(['store_unavailable', 'store_unavailable'])
      expect(performance.now() - began).toBeGreaterThanOrEqual(1900)
    },
  )

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
