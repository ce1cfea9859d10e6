import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { OF_SCRIPTS } from '../../src/store/redis/permissions.ts'
import { SCRIPTS } from '../../src/store/redis/scripts.ts'
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

it('the user that the documents name is permitted everything that is asked for', async () => {
  const redis = await server()
  const page = await readFile(new URL('../../docs/durability.md', import.meta.url), 'utf8')
  const rule = /`ACL SETUSER heldline on >password (.*?)`/.exec(page)?.[1] ?? ''
  await redis.ask('acl', 'setuser', 'heldline', 'on', '>password', ...rule.split(' '))
  const { store } = await open(`redis://heldline:password@127.0.0.1:${redis.port}`)
  const { session } = await create(store, { events: events(1) })
  expect(await store.remove(session)).toBe(true)
  expect(await store.check()).toMatchObject({ ok: true })
})

it('a user that may not run what a script needs is refused at the start with the commands to allow, and nothing is written', async () => {
  const redis = await server()
  const allowed = ['~hl:*', '&hl:*', '+@all', '-@dangerous', '+info', '+config|get']
  await redis.ask('acl', 'setuser', 'app', 'on', '>secret', ...allowed, '-xadd', '-hset')
  const url = `redis://app:secret@127.0.0.1:${redis.port}`
  await expect(openOn(url)).rejects.toThrow(/may not run HSET, XADD on .*: give it .*\+hset \+xadd/)
  await expect(openOn(url, { strict: false })).rejects.toThrow(/may not run HSET, XADD/)
  await redis.ask('acl', 'setuser', 'app', '+xadd', '+hset', 'resetkeys', '~other:*')
  await expect(openOn(url)).rejects.toThrow(/may not run .*, XADD, .*give it the keys ~hl:\*/)
  await redis.ask('acl', 'setuser', 'app', '~hl:*', '-eval')
  await expect(openOn(url)).rejects.toThrow(/may not run EVAL /)
  expect(await redis.ask('dbsize')).toBe(':0\r\n')
  await redis.ask('acl', 'setuser', 'app', '+eval')
  const { store } = await open(url)
  await create(store, { events: events(1) })
})

it('a command that is withdrawn later is named, and the node is not well until it is given back', async () => {
  const redis = await server()
  const warnings: unknown[] = []
  const warn = (event: string, fields?: object): void => void warnings.push([event, fields])
  const { store } = await open(redis.url, { log: { ...silent, warn }, lookEveryMs: 20 })
  await redis.ask('acl', 'setuser', 'default', '-hset')
  await eventually(async () => expect((await store.check()).ok).toBe(false))
  expect((await store.check()).detail).toContain('may not run HSET')
  expect(warnings).toContainEqual(['redis.commands_forbidden', { commands: ['HSET'] }])
  await redis.ask('acl', 'setuser', 'default', '+hset')
  await eventually(async () => expect(await store.check()).toMatchObject({ ok: true }))
})

it('a probe asks for no permissions: that is done now and then, with a new connection, and while one is known to lack', async () => {
  const redis = await server()
  const { store } = await open(redis.url)
  const asked = async (): Promise<number> => {
    const stats = await redis.ask('info', 'commandstats')
    return Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  const before = await asked()
  for (let i = 0; i < 3; i++) expect(await store.check()).toMatchObject({ ok: true })
  expect(await asked()).toBe(before)
  await redis.ask('acl', 'setuser', 'default', '-hset')
  await redis.ask('client', 'kill', 'type', 'normal')
  await eventually(async () => expect((await store.check()).detail).toContain('may not run HSET'))
  await redis.ask('acl', 'setuser', 'default', '+hset')
  expect(await store.check()).toMatchObject({ ok: true })
})

it('a command that the server does not have, as one that was renamed, is named at the start', async () => {
  const redis = await server({ 'rename-command': 'UNLINK ""' })
  await expect(openOn(redis.url)).rejects.toThrow(/may not run UNLINK/)
})

it('whatever the scripts run is asked for', () => {
  const run = Object.values(SCRIPTS).flatMap(({ text }) =>
    [...text.matchAll(/\b(?:p?call|spread)\('([A-Z]+)'/g)].map(([, name]) => name),
  )
  const asked = OF_SCRIPTS.map((command) => command.split(' ', 1)[0])
  // Whether anybody listens is looked up only to spare the work: refused, it is taken to be so.
  expect(new Set([...asked, 'PUBSUB'])).toEqual(new Set(run))
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
