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
import { open, outcome, server } from '../support/redis-case.ts'
import { openOn } from '../support/redis-store.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

it('a user that has no channels, as one made with keys and commands alone, is refused at the start with what it lacks', async () => {
  const redis = await server()
  await redis.ask('acl', 'setuser', 'app', 'on', '>secret', '~*', '+@all')
  const url = `redis://app:secret@127.0.0.1:${redis.port}`
  await expect(openOn(url)).rejects.toThrow(/may not publish to hl:\*.*&hl:\*/)
  await redis.ask('acl', 'setuser', 'app', '&hl:*')
  const { store } = await open(url)
  await create(store, { events: events(1) })
})

it('a permission to publish that is withdrawn costs wake-ups, and no commit', async () => {
  const redis = await server()
  const { store } = await open(redis.url)
  const last = await create(store)
  const sessions = [...(await Promise.all([create(store), create(store)])), last]
  await redis.ask('acl', 'setuser', 'default', '-publish')
  // One batch: what the first of it meets must not leave the others half done.
  const work = sessions.map(({ session }) => store.commit({ session, events: events(1) }))
  expect(await Promise.all(work.map(outcome))).toEqual(sessions.map(() => 'committed'))
  await redis.ask('acl', 'setuser', 'default', '+publish')
  for (const { session } of sessions) {
    await commit(store, { session, events: events(1) })
    const head = await headOf(store, session)
    expect(head.head).toBe(2)
    expectChain(await readAll(store, session), head)
  }
  await redis.ask('acl', 'setuser', 'default', '-publish')
  expect(await store.remove(last.session)).toBe(true)
})

it('channels that are withdrawn are named in the log, and heard again once they are given back', async () => {
  const redis = await server()
  const warnings: string[] = []
  const warn = (event: string): void => void warnings.push(event)
  const here = await open(redis.url, { log: { ...silent, warn } })
  const there = await open(redis.url)
  const { session } = await create(there.store)
  await redis.ask('acl', 'setuser', 'default', 'resetchannels')
  const listening = await listen(here, session)
  await eventually(() => expect(warnings).toContain('redis.subscribe_refused'))
  await redis.ask('acl', 'setuser', 'default', 'allchannels')
  await eventually(() => {
    there.signals.send(session, 'again')
    expect(listening.heard.length).toBeGreaterThan(0)
  })
})

it('a replica, which takes no writes, is refused at the start; a primary that becomes one is not well until it is one no more', async () => {
  const redis = await server()
  const { store } = await open(redis.url)
  await redis.ask('replicaof', '127.0.0.1', '1')
  await expect(openOn(redis.url)).rejects.toThrow(/it is a replica/)
  // Or, in between, that it does not answer: a connection that was refused a write is made anew.
  await eventually(async () => expect((await store.check()).detail).toContain('it is a replica'))
  expect((await store.check()).ok).toBe(false)
  await redis.ask('replicaof', 'no', 'one')
  await eventually(async () => expect((await store.check()).ok).toBe(true))
})
