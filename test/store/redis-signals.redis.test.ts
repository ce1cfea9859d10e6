import { describe, expect, it } from 'vitest'
import {
  commit,
  create,
  event,
  events,
  eventually,
  listen,
  readAll,
} from '../contract/store/kit.ts'
import { server, open, listenFrom, proxyOf } from '../support/redis-case.ts'

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

  it('come again after the connection went deaf, though it was up and answered', async () => {
    const redis = await server()
    const { proxy, url } = await proxyOf(redis.port)
    const here = await open(redis.url)
    const warnings: string[] = []
    const log = {
      info: () => undefined,
      warn: (name: string) => void warnings.push(name),
      error: () => undefined,
    }
    const there = await open(url, { probeMs: 200, log })
    const { session } = await create(here.store)
    const { heard, close } = await listenFrom(there, here, session)
    let restored = 0
    there.signals.onRestored(() => restored++)
    // The connection is up and answers each PING; only messages are lost on it.
    let deaf = true
    const lose = async () => {
      for (;;) {
        await proxy.dropNext('reply', (chunk) => deaf && chunk.includes('\r\nmessage\r\n'))
      }
    }
    void lose()
    await eventually(() => expect(warnings).toContain('redis.subscriber_deaf'))
    deaf = false
    expect(heard).toEqual([])
    await eventually(() => expect(restored).toBeGreaterThan(0))
    const { last } = await commit(here.store, { session, events: events(1) })
    await eventually(() => expect(heard.at(-1)).toMatchObject({ kind: 'committed', last }))
    close()
  })

  it('of another node carry the events, checked, when they are small, and only the serials when not', async () => {
    const redis = await server()
    const here = await open(redis.url)
    const there = await open(redis.url)
    const { session } = await create(here.store)
    const { heard, close } = await listenFrom(there, here, session)
    await commit(here.store, { session, events: events(3) })
    await commit(here.store, { session, events: [event(`"${'x'.repeat(70_000)}"`)] })
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
