import { expect, it } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { keysOf } from '../../src/store/redis/keys.ts'
import {
  commit,
  create,
  event,
  events,
  expectChain,
  headOf,
  newEpoch,
  newSession,
  readAll,
} from '../contract/store/kit.ts'
import { kept, open, outcome, server } from '../support/redis-case.ts'
import { startCluster } from '../support/redis-server.ts'

// What Redis refuses in the middle of a script, after its first write, it does not take back.

/** A session of so many events, and what takes a command away and gives it back. */
async function start(length: number) {
  const redis = await server()
  const { store } = await open(redis.url)
  const { session } = await create(store, { events: events(length) })
  const withdraw = (name: string) => redis.ask('acl', 'setuser', 'default', `-${name}`)
  const giveBack = (name: string) => redis.ask('acl', 'setuser', 'default', `+${name}`)
  return { redis, store, session, withdraw, giveBack }
}

async function expectWhole(store: Store, session: SessionId): Promise<string[]> {
  const [head, log] = [await headOf(store, session), await readAll(store, session)]
  expectChain(log, head)
  return log.map(({ tag }) => tag)
}

it('a commit that was refused half-way leaves nothing that is read, and nothing in the way of the next', async () => {
  const { store, session, withdraw, giveBack } = await start(1500)
  const before = await expectWhole(store, session)
  await withdraw('hset')
  for (let i = 0; i < 3; i++) await outcome(store.commit({ session, events: events(2) }))
  expect(await expectWhole(store, session)).toEqual(before)
  await giveBack('hset')
  const next = events(3)
  const { first, last } = await commit(store, { session, events: next })
  expect([first, last]).toEqual([1501, 1503])
  await commit(store, { session, events: events(1) })
  expect((await expectWhole(store, session)).slice(0, -1)).toEqual([
    ...before,
    ...next.map(({ tag }) => tag),
  ])
})

it('so it is on a Cluster, which refuses a script any key that it was not given', async () => {
  const { nodes } = await kept(startCluster())
  const { store } = await open(nodes[0]?.url ?? '', { cluster: true })
  const { session } = await create(store, { events: events(3) })
  const each = (rule: string) =>
    Promise.all(nodes.map((node) => node.ask('acl', 'setuser', 'default', rule)))
  await each('-hset')
  await outcome(store.commit({ session, events: events(2) }))
  await each('+hset')
  expect(await commit(store, { session, events: events(1) })).toMatchObject({ first: 4, last: 4 })
  expect(await expectWhole(store, session)).toHaveLength(4)
})

it('so it is with a log that is trimmed in part, and with one that is trimmed away', async () => {
  for (const notAfter of [4, 10]) {
    const { store, session, withdraw, giveBack } = await start(10)
    const policy = { maxEvents: 0, maxBytes: null, maxAgeMs: null, notAfter, limit: 100 }
    await store.trim(session, policy)
    const before = await expectWhole(store, session)
    expect(before).toHaveLength(10 - notAfter)
    await withdraw('hset')
    await outcome(store.commit({ session, events: events(2) }))
    await giveBack('hset')
    const { first } = await commit(store, { session, events: events(1) })
    expect(first).toBe(11)
    expect((await expectWhole(store, session)).slice(0, -1)).toEqual(before)
  }
})

it('a log that lacks an event is left as it is: what is there is not made to look whole', async () => {
  const { redis, store, session, withdraw, giveBack } = await start(5)
  const { log } = keysOf(session)
  await redis.ask('xdel', log, '3-0')
  await withdraw('hset')
  await outcome(store.commit({ session, events: events(1) }))
  await giveBack('hset')
  expect(await outcome(store.commit({ session, events: events(1) }))).toBe('internal')
  expect(await redis.ask('xlen', log)).toBe(':5\r\n')
})

it.each(['hset', 'pexpireat'])(
  'the id of an event that was refused for want of %s is not known, and its retry stands',
  async (command) => {
    const { store, session, withdraw, giveBack } = await start(1)
    await withdraw(command)
    const lost = event('"lost"', 'lost')
    await outcome(store.commit({ session, events: [lost] }))
    await giveBack(command)
    await commit(store, { session, events: [event('"other"', 'other')] })
    expect(await outcome(store.commit({ session, events: [lost] }))).toBe('committed')
    expect((await expectWhole(store, session)).at(-1)).toBe(lost.tag)
  },
)

it.each(['set', 'hset'])(
  'of a commit that met a refusal in the middle nobody can tell: without %s it is unknown, and not refused',
  async (command) => {
    const { store, session, withdraw } = await start(1)
    await withdraw(command)
    const work = store.commit({ session, events: events(1) })
    expect(await outcome(work)).toBe('outcome_unknown')
  },
)

it('a session whose first event is refused is not made, nor listed, and can be made afterwards', async () => {
  const { store, session: other, withdraw, giveBack } = await start(1)
  const [session, epoch] = [newSession(), newEpoch()]
  const making = () => outcome(store.commit({ session, create: { epoch }, events: events(2) }))
  const listed = async () =>
    (await store.list({ cursor: null, limit: 10, prefix: '', fields: [] })).sessions
  await withdraw('xadd')
  const between = store.commit({ session: other, writes: [{ field: 'f', value: 'v' }] })
  expect(await Promise.all([making(), outcome(between)])).toEqual(['internal', 'committed'])
  expect(await store.heads([session])).toEqual([null])
  expect(await listed()).toHaveLength(1)
  await giveBack('xadd')
  expect(await making()).toBe('committed')
  expect(await expectWhole(store, session)).toHaveLength(2)
  expect(await listed()).toHaveLength(2)
})

it('a commit that Redis refuses before it begins has no effect, and is told so', async () => {
  const { store, session, withdraw, giveBack } = await start(1)
  await withdraw('evalsha')
  expect(await outcome(store.commit({ session, events: events(1) }))).toBe('store_unavailable')
  await giveBack('evalsha')
  expect((await headOf(store, session)).head).toBe(1)
})
