import { describe, expect, test } from 'vitest'
import type { EventStream } from '../../src/client/event-stream.ts'
import { formatPosition } from '../../src/protocol/position.ts'
import { settle } from './support/fake-clock.ts'
import { ModelHttp } from './support/model-http.ts'
import { makeWorld } from './support/setup.ts'

const x = () => ({ type: 'x.note', data: {} })
const many = (count: number) => Array.from({ length: count }, x)

async function ready() {
  const world = makeWorld()
  const http = new ModelHttp(world.server)
  const client = world.open({ fetch: http.fetch })
  const session = client.session('s')
  session.attach()
  await settle()
  return { ...world, http, client, session }
}

async function take(stream: EventStream, count: number): Promise<number[]> {
  const serials: number[] = []
  while (serials.length < count) {
    const { value, done } = await stream.next()
    if (done === true) break
    serials.push(value.serial)
  }
  return serials
}
const upTo = (last: number, first = 1) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

describe('events one by one', () => {
  test('without `after`: from where the view stands; each once, over reconnects', async () => {
    const { session, server, clock, http } = await ready()
    server.append('s', ...many(2))
    const stream = session.events()
    server.append('s', ...many(2))
    expect(await take(stream, 2)).toEqual([3, 4])
    const next = stream.next()
    server.last.cut()
    server.append('s', x())
    await clock.advance(250)
    expect((await next).value).toHaveProperty('serial', 5)
    expect(http.requests).toHaveLength(0)
  })

  test('without `after`, before the first snapshot: from there', async () => {
    const world = makeWorld()
    world.server.append('s', ...many(3))
    const stream = world.open().session('s').events()
    const next = stream.next()
    await settle()
    world.server.append('s', x())
    expect((await next).value).toHaveProperty('serial', 4)
  })

  test('after a serial or a position: read from the store, then live, without a seam', async () => {
    const { session, server } = await ready()
    server.append('s', ...many(1200))
    const position = formatPosition({
      ...server.log('s').head,
      serial: 2,
      tag: server.log('s').events[1]?.tag as never,
    })
    for (const after of [0, 2, position]) {
      const first = after === 0 ? 1 : 3
      const head = server.log('s').head.serial
      const stream = session.events({ after })
      expect(await take(stream, head - first + 1)).toEqual(upTo(head, first))
      const next = stream.next()
      server.append('s', x())
      expect((await next).value).toHaveProperty('serial', head + 1)
    }
  })

  test('a slow consumer costs a bounded queue; the rest is read when it comes to it', async () => {
    const { session, server, http } = await ready()
    const stream = session.events()
    for (let i = 0; i < 3000; i++) server.append('s', x())
    expect(await take(stream, 1000)).toEqual(upTo(1000))
    expect(http.requests).toHaveLength(0)
    expect(await take(stream, 2000)).toEqual(upTo(3000, 1001))
    expect(http.requests.length).toBeGreaterThan(0)
  })

  test('where the view came by a snapshot, the events between are read', async () => {
    const { session, server, clock } = await ready()
    const stream = session.events()
    server.append('s', x())
    server.last.cut()
    server.append('s', ...many(40))
    await clock.advance(250)
    expect(session.position).toBe(formatPosition(server.log('s').head))
    expect(await take(stream, 41)).toEqual(upTo(41))
  })

  test('[P-4.4] what cannot be given is an error with its reason, not a gap', async () => {
    const { session, server, clock } = await ready()
    const stream = session.events()
    server.append('s', ...many(3))
    expect(await take(stream, 3)).toEqual([1, 2, 3])
    server.last.cut()
    server.log('s').fork(2, 0)
    server.append('s', x())
    await clock.advance(250)
    await expect(stream.next()).rejects.toMatchObject({
      code: 'position_unrecoverable',
      facts: { reason: 'fork' },
    })
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('what comes while the last page is on its way is not forgotten', async () => {
    const { session, server, http, open } = await ready()
    server.append('s', ...many(2))
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    const slow = open({
      fetch: async (url, init) => {
        const response = await http.fetch(url, init)
        await held
        return response
      },
    }).session('s')
    slow.attach()
    await settle()
    const taken = take(slow.events({ after: 0 }), 3)
    await settle()
    server.append('s', x())
    release()
    expect(await taken).toEqual([1, 2, 3])
    expect(session.view.position.serial).toBe(3)
  })

  test('a read that fails for now is tried again', async () => {
    const { session, server, clock, http } = await ready()
    server.append('s', ...many(3))
    http.away = true
    const taken = take(session.events({ after: 0 }), 3)
    await clock.advance(20_000)
    http.away = false
    await clock.advance(20_000)
    expect(await taken).toEqual([1, 2, 3])
  })

  test('leaving the loop, detaching and closing end it', async () => {
    const { session, client, server } = await ready()
    server.append('s', ...many(2))
    for await (const event of session.events({ after: 0 })) if (event.serial === 2) break
    const waiting = session.events().next()
    session.detach()
    expect(await waiting).toEqual({ done: true, value: undefined })
    const again = session.events().next()
    client.close()
    expect(await again).toEqual({ done: true, value: undefined })
  })

  test('a cursor of the tab goes on, after a reload, behind what was done with', async () => {
    const { session, server, client, clock, tab, open, http, page } = await ready()
    server.append('s', ...many(5))
    const stream = session.events({ after: 'tab' })
    server.append('s', ...many(5))
    expect(await take(stream, 3)).toEqual([6, 7, 8])
    expect(tab.getItem('heldline:cursor:s')).toBeNull()
    page.tell('leaving')
    expect(tab.getItem('heldline:cursor:s')).toContain('.7.')
    await take(stream, 1)
    await clock.advance(1000)
    expect(tab.getItem('heldline:cursor:s')).toContain('.8.')
    client.close()
    const after = open({ fetch: http.fetch }).session('s', { cursor: 'tab' })
    expect(await take(after.events(), 2)).toEqual([9, 10])
  })
})
