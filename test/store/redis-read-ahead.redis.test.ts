import { beforeEach, describe, expect, it } from 'vitest'
import type { SessionId } from '../../src/protocol/ids.ts'
import { keysOf } from '../../src/store/redis/keys.ts'
import { commit, create, events, expectChain, headOf, newEpoch } from '../contract/store/kit.ts'
import { codeOf, open, server } from '../support/redis-case.ts'

const PAGE = 10
const LENGTH = 100

// Whoever reads page after page gets the next one read ahead: what happens to the log meanwhile must show all the same.
describe('a page that was read ahead', () => {
  let redis: Awaited<ReturnType<typeof server>>
  let here: Awaited<ReturnType<typeof open>>
  let there: Awaited<ReturnType<typeof open>>
  let session: SessionId

  beforeEach(async () => {
    redis = await server()
    here = await open(redis.url)
    there = await open(redis.url)
    session = (await create(here.store, { events: events(LENGTH) })).session
  })

  const read = (after: number) => here.store.read(session, { after, limit: PAGE, maxBytes: 1e6 })

  /** Reads until the page after 30 lies ready. */
  async function readThree(): Promise<void> {
    for (const after of [0, 10, 20]) await read(after)
    const calls = async () =>
      Number(/cmdstat_xrange:calls=(\d+)/.exec(await redis.ask('info', 'commandstats'))?.[1])
    expect(await calls()).toBeGreaterThanOrEqual(4)
  }

  it('is the page, with the head of now', async () => {
    await readThree()
    const { last } = await commit(there.store, { session, events: events(5) })
    const page = await read(30)
    expect(page?.head).toBe(last)
    expect(page?.events.map(({ serial }) => serial)).toEqual(
      Array.from({ length: PAGE }, (_, index) => 31 + index),
    )
    const log = [...((await read(0))?.events ?? [])]
    for (let after = PAGE; after < last; after += PAGE)
      log.push(...((await read(after))?.events ?? []))
    expectChain(log, await headOf(there.store, session))
  })

  it('is not given once the session is gone', async () => {
    await readThree()
    await there.store.remove(session)
    expect(await read(30)).toBeNull()
  })

  it('is not given for another log under the same name', async () => {
    await readThree()
    await there.store.remove(session)
    const again = await commit(there.store, {
      session,
      create: { epoch: newEpoch() },
      events: events(LENGTH),
    })
    const page = await read(30)
    expect(page?.epoch).toBe(again.epoch)
    expect(page?.events[0]?.tag).toBe(
      (await there.store.read(session, { after: 30, limit: 1, maxBytes: 1 }))?.events[0]?.tag,
    )
  })

  it('is not given for a log that lost its end, and went on otherwise under the same epoch', async () => {
    await readThree()
    const { log, record } = keysOf(session)
    const before = await there.store.read(session, { after: 34, limit: 1, maxBytes: 1 })
    const [at] = before?.events ?? []
    // As a failover leaves it behind: 35 is the head again.
    for (let serial = 36; serial <= LENGTH; serial++) await redis.ask('xdel', log, `${serial}-0`)
    const script = `local r = redis.call('HGET', KEYS[1], '.') redis.call('HSET', KEYS[1], '.', (string.gsub(r, '^(%S+) %S+ %S+', '%1 35 ' .. ARGV[1]))) redis.call('XSETID', KEYS[2], '35-0')`
    expect(await evaluate(script, record, log, at?.tag ?? '')).not.toContain('ERR')
    await commit(there.store, { session, events: events(LENGTH) })
    const page = await read(30)
    const truth = await there.store.read(session, { after: 30, limit: PAGE, maxBytes: 1e6 })
    expect(page).toEqual(truth)
  })

  it('is not given below the floor', async () => {
    await readThree()
    const policy = { maxEvents: 20, maxBytes: null, maxAgeMs: null, notAfter: LENGTH, limit: 1000 }
    expect(await there.store.trim(session, policy)).toMatchObject({ floor: 80 })
    const page = await read(30)
    expect(page?.floor).toBe(80)
    expect(page?.events[0]?.serial).toBe(81)
  })

  it('ends before an event that is damaged, as any page does', async () => {
    const { log } = keysOf(session)
    for (let serial = 35; serial <= LENGTH; serial++) await redis.ask('xdel', log, `${serial}-0`)
    await redis.ask('xsetid', log, '34-0')
    for (let serial = 35; serial <= LENGTH; serial++)
      await redis.ask('xadd', log, `${serial}-0`, 'e', '00000000{}')
    await readThree()
    expect((await read(30))?.events.map(({ serial }) => serial)).toEqual([31, 32, 33, 34])
    expect(await read(34).catch(codeOf)).toBe('event_corrupt')
  })

  async function evaluate(script: string, ...keysAndTag: readonly string[]): Promise<string> {
    const [record = '', log = '', tag = ''] = keysAndTag
    return redis.ask('eval', script, '2', record, log, tag)
  }
})
