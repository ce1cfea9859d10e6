import { expect, test } from 'vitest'
import type { ClientError } from '../../src/client/client-error.ts'
import { Credentials } from '../../src/client/credentials.ts'
import * as module from '../../src/client/over-http.ts'
import { settle } from './support/fake-clock.ts'
import { makeHttpWorld } from './support/http-setup.ts'

/** The code comes with the n-th try. */
function comesAt(n: number) {
  const tries = { count: 0 }
  const load = async () => {
    tries.count += 1
    if (tries.count < n) throw new TypeError('Failed to fetch')
    return module
  }
  return { tries, load }
}

test('what could not be loaded is loaded again until it comes, and the failure is told', async () => {
  const { tries, load } = comesAt(4)
  const { openHttp, clock } = makeHttpWorld(load)
  const client = openHttp('sse')
  const errors: ClientError[] = []
  client.on('error', (error) => errors.push(error))
  const session = client.session('s')
  session.attach()
  await settle()
  expect(client.state).toBe('connecting')
  await clock.advance(60_000)
  expect(client.state).toBe('live')
  expect(session.state).toBe('live')
  expect(tries.count).toBe(4)
  expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual(
    Array.from({ length: 3 }, () => ['disconnected', true]),
  )
})

const FALL = ['websocket', 'websocket', 'sse']

test('on the ladder, a socket is tried again in between', async () => {
  const { load } = comesAt(2)
  const { openHttp, clock, kinds } = makeHttpWorld(load)
  const client = openHttp('auto')
  client.session('s').attach()
  await clock.advance(60_000)
  expect(kinds.slice(0, 6)).toEqual([...FALL, ...FALL])
  expect(client.state).toBe('live')
})

test('code that comes after the client was closed opens nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<typeof module>()
  const { openHttp, http, clock } = makeHttpWorld(() => promise)
  const client = openHttp('sse')
  client.session('s').attach()
  await settle()
  client.close()
  resolve(module)
  await settle()
  expect(http.requests).toEqual([])
  expect(clock.pending).toBe(0)
})

test('code that does not come in 10 s counts as a connection that does not open', async () => {
  const { openHttp, clock, kinds } = makeHttpWorld(() => new Promise(() => {}))
  openHttp('sse').session('s').attach()
  await clock.advance(9_000)
  expect(kinds).toHaveLength(1)
  await clock.advance(30_000)
  expect(kinds.length).toBeGreaterThan(1)
})

test('what comes before the code of events() is kept, up to a bound; the rest is read', async () => {
  for (const count of [3, 1_500]) {
    const { promise, resolve } = Promise.withResolvers<typeof module>()
    const world = makeHttpWorld(() => promise)
    const session = world
      .open({ http: world.requests(new Credentials(world.clock, undefined, undefined)) })
      .session('s')
    session.attach()
    await settle()
    const events = session.events()
    const first = events.next()
    for (let i = 0; i < count; i++) world.server.append('s', { type: 'x.note', data: {} })
    resolve(module)
    const serials = [(await first).value?.serial]
    while (serials.length < count) serials.push((await events.next()).value?.serial)
    expect(serials).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    expect(world.http.requests.length > 0).toBe(count > 1_000)
  }
})

test('who waits for events is told of the end, though the code never comes', async () => {
  const world = makeHttpWorld(() => new Promise(() => {}))
  const client = world.openHttp('sse')
  const waiting = client.session('s').events().next()
  client.close()
  expect(await waiting).toEqual({ done: true, value: undefined })
  expect(world.clock.pending).toBe(0)
})

test('[P-4.8] what was read before the code came, or could not come, is told with the next attach', async () => {
  const { load } = comesAt(2)
  const world = makeHttpWorld(load)
  const { server, clock } = world
  const session = world
    .open({ http: world.requests(new Credentials(clock, undefined, undefined)) })
    .session('s')
  session.attach()
  await settle()
  const marks = () => server.received.filter(({ op }) => op === 'read')
  await expect(session.read(7)).rejects.toMatchObject({ code: 'disconnected' })
  expect(marks()).toEqual([])
  server.last.cut()
  await clock.advance(500)
  expect(marks()).toMatchObject([{ serial: 7 }])
})

test('events() reads on by requests as soon as their code is there', async () => {
  const { load } = comesAt(3)
  const { openHttp, server, clock } = makeHttpWorld(load)
  const x = () => ({ type: 'x.note', data: {} })
  server.append('s', x(), x())
  const events = openHttp('sse').session('s').events({ after: 0 })
  const first = events.next()
  await clock.advance(60_000)
  expect((await first).value).toMatchObject({ serial: 1 })
})
