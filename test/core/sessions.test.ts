import { describe, expect, test } from 'vitest'
import type { SessionId } from '../../src/protocol/ids.ts'
import { BY, drafted, NO_LIMITS, refusal, SESSION, World } from './world.ts'

const request = { session: SESSION, metadata: { title: 'a' }, settings: NO_LIMITS, by: BY }

describe('opening', () => {
  test('makes the session with its first event, or finds it as it is [P-9.1]', async () => {
    const world = new World()
    const { sessions } = world.node()
    const made = await sessions.open(request)
    expect(made).toMatchObject({ created: true, info: { metadata: { title: 'a' }, closed: false } })
    const found = await sessions.open({ ...request, metadata: { title: 'b' } })
    expect(found).toEqual({ created: false, info: made.info })
    expect(await world.types()).toEqual(['session.created'])
  })

  test('many at once make it once', async () => {
    const world = new World()
    const nodes = [world.node(), world.node()]
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, i) => nodes[i % 2]!.sessions.open(request)),
    )
    expect(all.filter(({ created }) => created)).toHaveLength(1)
    expect(await world.types()).toEqual(['session.created'])
  })

  test('a session that is made again under its name has another epoch', async () => {
    const world = new World()
    const { sessions } = world.node()
    await sessions.open(request)
    const { epoch } = await sessions.head(SESSION)
    await sessions.remove(SESSION)
    await sessions.open(request)
    expect((await sessions.head(SESSION)).epoch).not.toBe(epoch)
  })

  test('what is not there is not found', async () => {
    const { sessions } = new World().node()
    for (const attempt of [
      sessions.info(SESSION),
      sessions.head(SESSION),
      sessions.remove(SESSION),
      sessions.patch({ session: SESSION, by: BY }),
      sessions.close({ session: SESSION, by: BY }),
      sessions.append({ session: SESSION, drafts: [drafted('x.a')], by: BY }),
      sessions.markRead(SESSION, 'ada', 1),
      sessions.events(SESSION, 0, { limit: 1, waitMs: 0 }),
    ]) {
      expect(await refusal(attempt)).toBe('session_not_found')
    }
  })
})

describe('patching', () => {
  test('merges the top level of the metadata; null removes a key; others see it', async () => {
    const world = new World()
    const { sessions, views } = world.node()
    await sessions.open({ ...request, metadata: { a: 1, b: { c: 2 }, d: 3 } })
    const metadata = { a: null, b: { e: 4 }, __proto__: { f: 5 } }
    const info = await sessions.patch({ session: SESSION, metadata, by: BY })
    expect(info.metadata).toEqual({ b: { e: 4 }, d: 3 })
    expect((await views.at(SESSION)).metadata).toEqual(info.metadata)
    expect(await world.types()).toEqual(['session.created', 'session.updated'])
  })

  test('what changes nothing of the metadata is no event', async () => {
    const world = new World()
    const { sessions } = world.node()
    await sessions.open(request)
    await sessions.patch({ session: SESSION, metadata: { title: 'a' }, by: BY })
    await sessions.patch({ session: SESSION, settings: { ttlMs: 9000 }, by: BY })
    expect(await world.types()).toEqual(['session.created'])
    expect((await sessions.info(SESSION)).settings.ttlMs).toBe(9000)
  })

  test('many at once lose nothing of each other', async () => {
    const world = new World()
    const { sessions } = world.node()
    await sessions.open({ ...request, metadata: {} })
    const keys = ['a', 'b', 'c', 'd']
    await Promise.all(
      keys.map((key) => sessions.patch({ session: SESSION, metadata: { [key]: 1 }, by: BY })),
    )
    expect(Object.keys((await sessions.info(SESSION)).metadata).toSorted()).toEqual(keys)
  })

  test('a bound of the retention is changed without touching the others', async () => {
    const { sessions } = new World().node()
    const retention = { maxAgeMs: 1000, maxEvents: 10, maxBytes: 100 }
    await sessions.open({ ...request, settings: { ttlMs: 5, retention } })
    const settings = { retention: { maxEvents: null } }
    const info = await sessions.patch({ session: SESSION, settings, by: BY })
    expect(info.settings).toEqual({ ttlMs: 5, retention: { ...retention, maxEvents: null } })
  })

  test('a closed session is not changed', async () => {
    const { sessions } = new World().node()
    await sessions.open(request)
    await sessions.close({ session: SESSION, by: BY })
    const patched = sessions.patch({ session: SESSION, metadata: { a: 1 }, by: BY })
    expect(await refusal(patched)).toBe('session_closed')
  })
})

describe('closing', () => {
  test('is once, however often it is asked for, and the log stays readable', async () => {
    const world = new World()
    const { sessions } = world.node()
    await sessions.open(request)
    await Promise.all(
      [1, 2, 3].map(() => sessions.close({ session: SESSION, by: BY, reason: 'done' })),
    )
    await sessions.close({ session: SESSION, by: BY })
    expect(await world.types()).toEqual(['session.created', 'session.closed'])
    expect((await sessions.info(SESSION)).closed).toBe(true)
    const read = await sessions.events(SESSION, 0, { limit: 10, waitMs: 0 })
    expect(read.events).toHaveLength(2)
  })
})

test('a list has every session once, page by page, with what a session is', async () => {
  const world = new World()
  const { sessions } = world.node()
  for (let i = 0; i < 7; i++) await sessions.open({ ...request, session: `s${i}` as SessionId })
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page = await sessions.list({ cursor, limit: 3, prefix: 's' })
    seen.push(...page.sessions.map((one) => one.session))
    cursor = page.cursor
  } while (cursor !== null)
  expect(seen.toSorted()).toEqual(Array.from({ length: 7 }, (_, i) => `s${i}`))
})
