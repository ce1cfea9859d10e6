import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeHead } from '../../src/protocol/codec.ts'
import {
  commit,
  create,
  events,
  eventually,
  expectChain,
  headOf,
  newEpoch,
  readAll,
} from '../contract/store/kit.ts'
import { server, proxyOf, open, outcome, recordKey } from '../support/redis-case.ts'

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

function checksumOf(text: string): string {
  const [head, body] = [decodeHead(text), text.replace(/^.*?"at":\d+,/, '')]
  return crc32(`${head?.tag}${body}`).toString(16).padStart(8, '0')
}
