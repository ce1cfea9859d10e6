import { describe, expect, test } from 'vitest'
import type { PageEvent } from '../../src/client/page.ts'
import { settle } from './support/fake-clock.ts'
import { makeWorld } from './support/setup.ts'

const MINUTE_MS = 60_000

async function live() {
  const world = makeWorld()
  const client = world.open()
  const session = client.session('s', { catchup: 'events' })
  const states: string[] = []
  const serials: number[] = []
  const resets: unknown[] = []
  session.on('event', ({ serial }) => serials.push(serial))
  session.on('reset', (reset) => resets.push(reset))
  session.attach()
  await settle()
  client.on('state', (state) => states.push(state))
  return { ...world, client, session, states, serials, resets }
}

const word = { type: 'x.word' }
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1)

describe('a laptop that slept for ten minutes', () => {
  const signs: readonly { readonly sign: PageEvent | 'no word' }[] = [
    { sign: 'no word' },
    { sign: 'wake' },
    { sign: 'visible' },
    { sign: 'online' },
  ]
  test.for(signs)(
    '[S0-07] [R15] has everything within a second of waking, each event once, with $sign of the page',
    async ({ sign }) => {
      const { server, clock, page, client, session, serials, resets } = await live()
      server.append('s', word, word)
      if (sign === 'visible') page.tell('hidden')
      // Nobody tells a machine that sleeps that its connection was given up.
      server.last.close()
      clock.sleep(5 * MINUTE_MS)
      server.append('s', ...Array.from({ length: 100 }, () => word))
      clock.sleep(5 * MINUTE_MS)
      expect(serials).toEqual([1, 2])
      if (sign !== 'no word') page.tell(sign)
      await clock.advance(1000)
      expect(client.state).toBe('live')
      expect(serials).toEqual(upTo(102))
      expect(session.view.position.serial).toBe(102)
      expect(resets).toEqual([])
      expect(server.openConnections).toHaveLength(1)
      server.append('s', word)
      expect(serials).toEqual(upTo(103))
    },
  )
})

describe('a tab in the background, whose timers run once a minute', () => {
  test('[S4-06] is not taken for dead, and follows all the while; when it is looked at, it goes on at once', async () => {
    const { server, clock, page, client, serials, states } = await live()
    page.tell('hidden')
    clock.throttleMs = MINUTE_MS
    let count = 0
    for (let at = 0; at < 4 * MINUTE_MS; at += 15_000) {
      await clock.advance(15_000)
      server.heartbeat()
      server.append('s', word)
      count += 1
    }
    expect(server.connections).toHaveLength(1)
    expect(serials).toEqual(upTo(count))

    clock.throttleMs = 0
    page.tell('visible')
    await settle()
    server.append('s', word)
    await clock.advance(1000)
    expect(serials).toEqual(upTo(count + 1))
    expect(client.state).toBe('live')
    expect(states).toEqual([])
    expect(server.openConnections).toHaveLength(1)
  })

  test('[S4-06] whose connection is really lost finds out within three of its timers, and misses nothing', async () => {
    const { server, clock, page, client, serials } = await live()
    page.tell('hidden')
    clock.throttleMs = MINUTE_MS
    server.last.close()
    server.append('s', word, word)
    for (let at = 0; at < 3 * MINUTE_MS; at += 15_000) {
      await clock.advance(15_000)
      server.heartbeat()
    }
    expect(server.openConnections).toHaveLength(1)
    expect(serials).toEqual([1, 2])
    expect(client.state).toBe('live')
  })
})
