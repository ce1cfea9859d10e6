import { describe, expect, test } from 'vitest'
import { ClientError } from '../../src/client/client-error.ts'
import type { Session } from '../../src/client/session.ts'
import type { OpenTransport } from '../../src/client/transport/transport.ts'
import { settle } from './support/fake-clock.ts'
import { FakeStorage } from './support/fake-storage.ts'
import { makeWorld, type World } from './support/setup.ts'

const x = (n = 0) => ({ type: 'x.note', data: { n } })

async function live(world: World = makeWorld()) {
  const client = world.open()
  const session = client.session('s')
  session.attach()
  await settle()
  return { ...world, client, session }
}

const ids = (session: { readonly messages: readonly { readonly id: string }[] }) =>
  session.messages.map((message) => message.id)
const publishes = ({ server }: World) => server.received.filter((frame) => frame.op === 'publish')

describe('saying something', () => {
  test('a message is there at once, pending, and is replaced when its event arrives', async () => {
    const world = await live()
    const { session, server } = world
    server.append('s', { type: 'message.started', data: { message: 'tip', role: 'assistant' } })
    server.auto = false
    const sent = session.send('hello', { id: 'mine' })
    expect(session.messages.at(-1)).toMatchObject({
      id: 'mine',
      pending: true,
      role: 'user',
      parent: 'tip',
      parts: [{ type: 'text', text: 'hello' }],
    })
    server.auto = true
    server.last.deliver()
    const ack = await sent
    expect(ack).toMatchObject({ first: 2, last: 2, duplicates: 0, durability: 'memory' })
    expect(session.messages.at(-1)).toEqual(server.log('s').view.messages.get('mine'))
    expect(session.outbox).toEqual([])
  })

  test('an acknowledged message stays pending until its event comes, and never shows twice', async () => {
    const { session, server } = await live()
    server.auto = false
    const sent = session.send('hello', { id: 'mine' })
    server.last.deliver(1)
    await sent
    expect(session.messages).toHaveLength(1)
    expect(session.messages[0]).toHaveProperty('pending', true)
    server.last.deliver()
    expect(session.messages).toHaveLength(1)
    expect(session.messages[0]).not.toHaveProperty('pending')
  })

  test('what is refused is marked failed, and can be sent again or forgotten', async () => {
    const { session, server } = await live()
    server.refusals.set('publish', { code: 'forbidden', retryable: false })
    await expect(session.send('no', { id: 'mine' })).rejects.toMatchObject({ code: 'forbidden' })
    expect(session.messages[0]).toMatchObject({ id: 'mine', failed: { code: 'forbidden' } })
    server.refusals.set('publish', { code: 'forbidden', retryable: false })
    session.retry('mine')
    await settle()
    expect(session.messages[0]).toHaveProperty('failed')
    session.retry('mine')
    await settle()
    expect(session.messages[0]).not.toHaveProperty('pending')
    server.refusals.set('publish', { code: 'forbidden', retryable: false })
    await session.send('no', { id: 'other' }).catch(() => {})
    expect(session.discard('other')).toBe(true)
    expect(ids(session)).toEqual(['mine'])
  })

  test('several messages in a row follow each other, on their way already', async () => {
    const { session, server } = await live()
    server.auto = false
    void session.send('one', { id: 'a' })
    void session.send('two', { id: 'b' })
    expect(session.messages.map(({ id, parent }) => [id, parent])).toEqual([
      ['a', null],
      ['b', 'a'],
    ])
  })
})

describe('publishing', () => {
  test('[P-2.7] silence is no refusal: the same ids are sent again, and stored once', async () => {
    const world = await live()
    const { session, server, clock } = world
    server.loseAcks = true
    const sent = session.publish([x(1), x(2)])
    await clock.advance(10_000)
    server.heartbeat()
    server.loseAcks = false
    await clock.advance(10_000)
    expect(await sent).toMatchObject({ first: 1, last: 2, duplicates: 2 })
    expect(publishes(world)).toHaveLength(2)
    expect(publishes(world)[0]).toHaveProperty('events', publishes(world)[1]?.events)
    expect(server.log('s').events).toHaveLength(2)
  })

  test('[P-2.7] a connection that ends before the answer: the same again after the resume', async () => {
    const world = await live()
    const { session, server, clock } = world
    server.loseAcks = true
    const sent = session.publish(x())
    server.last.cut()
    server.loseAcks = false
    await clock.advance(250)
    expect(await sent).toMatchObject({ duplicates: 1 })
    expect(server.log('s').events).toHaveLength(1)
  })

  test.each(['outcome_unknown', 'durability_timeout', 'store_unavailable', 'rate_limited'])(
    '%s is tried again, in order, with a pause',
    async (code) => {
      const world = await live()
      const { session, server, clock } = world
      server.refusals.set('publish', { code, retryable: true })
      const first = session.publish(x(1))
      const second = session.publish(x(2))
      await settle()
      expect(publishes(world)).toHaveLength(1)
      await clock.advance(1000)
      expect((await first).first).toBe(1)
      expect((await second).first).toBe(2)
    },
  )

  test('what is published while there is no connection goes out after the attach, in order', async () => {
    const world = await live()
    const { session, server, clock } = world
    server.last.cut()
    const acks = Promise.all([1, 2, 3].map((n) => session.publish(x(n))))
    await clock.advance(250)
    expect((await acks).map((ack) => ack.first)).toEqual([1, 2, 3])
    expect(server.log('s').events.map((event) => event.data)).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ])
  })

  test('the outbox is bounded by number and by size, and says so', async () => {
    const { session, server } = await live()
    server.last.cut()
    for (let i = 0; i < 200; i++) void session.publish(x())
    await expect(session.publish(x())).rejects.toMatchObject({
      code: 'outbox_full',
      facts: { maxEntries: 200 },
    })
    const other = (await live()).session
    const big = { type: 'x.big', data: 'b'.repeat(600_000) }
    void other.publish(big)
    await expect(other.publish(big)).rejects.toMatchObject({ code: 'outbox_full' })
  })

  test('what is no JSON is refused at once, and stands in nobody’s way', async () => {
    const { session } = await live()
    await expect(session.prompt('how many?', { data: { count: 1n } })).rejects.toThrow(TypeError)
    expect(session.outbox).toEqual([])
    await expect(session.send('many')).resolves.toMatchObject({ first: 1 })
  })

  test('one is on its way at a time, so that none overtakes another', async () => {
    const world = await live()
    const { session, server } = world
    server.auto = false
    const acks = Promise.all([session.publish(x(1)), session.publish(x(2))])
    await settle()
    expect(publishes(world)).toHaveLength(1)
    server.last.deliver()
    await settle()
    expect(publishes(world)).toHaveLength(2)
    server.last.deliver()
    expect((await acks).map((ack) => ack.first)).toEqual([1, 2])
  })

  test('what is larger than a frame may be is refused here, and ends no socket', async () => {
    const { session, server } = await live()
    const big = { type: 'x.big', data: 'b'.repeat(5000) }
    await expect(session.publish(big)).rejects.toMatchObject({ code: 'payload_too_large' })
    expect(await session.publish(x())).toMatchObject({ first: 1 })
    expect(server.connections).toHaveLength(1)
  })

  test('a session that refuses the attach refuses what waits', async () => {
    const world = makeWorld()
    world.server.refusals.set('attach', { code: 'forbidden', retryable: false })
    const session = world.open().session('s')
    await expect(session.publish(x())).rejects.toBeInstanceOf(ClientError)
  })

  test('[P-4.8] reading marks the furthest serial, once', async () => {
    const { session, server } = await live()
    server.append('s', x(), x(), x())
    server.auto = false
    const marks = Promise.all([session.read(1), session.read(2), session.read()])
    await settle()
    server.auto = true
    server.last.deliver()
    await marks
    const reads = server.received
      .filter((frame) => frame.op === 'read')
      .map((frame) => frame.serial)
    expect(reads).toEqual([1, 3])
    await session.read(2)
    expect(server.received.filter((frame) => frame.op === 'read')).toHaveLength(2)
  })

  test('[P-4.7] a signal goes out while attached, and is lost otherwise', async () => {
    const { session, server, clock } = await live()
    const heard: unknown[] = []
    session.on('signal', (signal) => heard.push(signal))
    expect(session.signal('typing', { on: true })).toBe(true)
    server.last.say({ type: 'signal', session: 's', name: 'typing', by: { subject: 'bob' } })
    expect(heard).toEqual([{ name: 'typing', by: { subject: 'bob' } }])
    server.last.cut()
    expect(session.signal('typing')).toBe(false)
    await clock.advance(250)
    expect(server.received.filter((frame) => frame.op === 'signal')).toHaveLength(1)
  })
})

describe('a reload', () => {
  const reload = async (world: World) => {
    const session = world.open().session('s')
    const shown = ids(session)
    session.attach()
    await settle()
    return { session, shown }
  }

  test('what was not sent survives it, is shown, and goes out in order', async () => {
    const world = await live()
    const { server, client, session } = world
    server.last.cut()
    const lost = [session.send('one', { id: 'a' }), session.send('two', { id: 'b' })]
    client.close()
    for (const one of lost) await expect(one).rejects.toMatchObject({ code: 'client_closed' })
    const after = await reload(world)
    expect(after.shown).toEqual(['a', 'b'])
    expect(ids(after.session)).toEqual(['a', 'b'])
    expect(after.session.messages.some((message) => message.pending)).toBe(false)
    expect(world.local.length).toBe(0)
  })

  test('what was said in one moment stays in the order in which it was said', async () => {
    const world = await live()
    const { server, client, session } = world
    server.last.cut()
    for (const id of ['m', 'z', 'a']) void session.send('in a hurry', { id })
    client.close()
    const after = await reload(world)
    expect(after.shown).toEqual(['m', 'z', 'a'])
    expect(ids(after.session)).toEqual(['m', 'z', 'a'])
  })

  test('what was sent without an answer is sent with the same id, and stored once', async () => {
    const world = await live()
    const { server, client, session } = world
    server.loseAcks = true
    void session.send('one', { id: 'a' })
    void session.publish(x())
    client.close()
    server.loseAcks = false
    await reload(world)
    expect(server.log('s').events.map((event) => event.type)).toEqual([
      'message.completed',
      'x.note',
    ])
  })

  test('the view is not kept: it begins with a snapshot, and no token is stored', async () => {
    const world = makeWorld()
    const client = world.open({ token: 'very-secret' })
    const session = client.session('s')
    session.attach()
    await settle()
    void session.send('one')
    client.close()
    await reload(world)
    expect(
      world.server.received.filter((frame) => frame.op === 'attach').at(-1),
    ).not.toHaveProperty('position')
    expect(world.local.text + world.tab.text).not.toContain('very-secret')
  })

  test('another subject does not send what was somebody else’s', async () => {
    const world = await live()
    const { server, client, session } = world
    server.loseAcks = true
    void session.send('private', { id: 'a' })
    server.log('s').lose(1)
    client.close()
    server.loseAcks = false
    server.subject = 'bob'
    const before = publishes(world).length
    await reload(world)
    expect(publishes(world)).toHaveLength(before)
    server.subject = 'ada'
    await reload(world)
    expect(server.log('s').events.map((event) => event.by.subject)).toEqual(['ada'])
  })

  test('[P-2.5] after the ids are forgotten, an event that may have arrived is not sent again', async () => {
    const world = await live()
    const { server, client, session, clock } = world
    server.loseAcks = true
    void session.publish(x())
    client.close()
    server.loseAcks = false
    await clock.advance(600_000)
    const next = world.open().session('s')
    const errors: string[] = []
    next.on('error', (error) => errors.push(error.code))
    await settle()
    expect(server.log('s').events).toHaveLength(1)
    expect(errors).toEqual(['outcome_unknown'])
    expect(next.outbox).toMatchObject([{ state: 'failed' }])
  })

  test('[P-2.5] a tab that stood still with an event on its way, for longer than ids are remembered, does not send it again', async () => {
    const world = await live()
    const { server, session, clock } = world
    server.loseAcks = true
    const sent = session.publish(x())
    const refused = expect(sent).rejects.toMatchObject({ code: 'outcome_unknown' })
    await settle()
    clock.sleep(1_200_000)
    server.loseAcks = false
    await clock.advance(60_000)
    await refused
    expect(publishes(world)).toHaveLength(1)
    expect(session.outbox).toMatchObject([{ state: 'failed' }])
  })

  test('[P-2.5] a message is recognised by the log itself, however long ago it was sent', async () => {
    const world = await live()
    const { server, client, session, clock } = world
    server.loseAcks = true
    void session.send('one', { id: 'a' })
    client.close()
    server.loseAcks = false
    await clock.advance(3_600_000)
    server.refusals.set('publish', { code: 'message_exists', retryable: false })
    const after = await reload(world)
    expect(after.session.outbox).toEqual([])
    expect(after.session.messages).toHaveLength(1)
    expect(after.session.messages[0]).not.toHaveProperty('failed')
  })

  test('what was said in a session goes to no other, whose id its own begins with', async () => {
    const world = makeWorld()
    const client = world.open()
    void client.session('team:board').send('among us', { id: 'a' })
    void client.session('team').send('to all', { id: 'b' })
    client.close()
    const next = world.open()
    expect([ids(next.session('team')), ids(next.session('team:board'))]).toEqual([['b'], ['a']])
  })

  /** A tab that stood still with something to say, while another one found it, sent it and had its answer. */
  const twoTabs = async (say: (session: Session) => void) => {
    const world = makeWorld()
    let frozen = true
    const open: OpenTransport = (kind, secrets, events) => {
      const connection = world.server.open(kind, secrets, events)
      if (frozen) connection.close()
      return connection
    }
    const first = world.open({ open }).session('s')
    first.attach()
    say(first)
    const second = world.open({ tab: new FakeStorage() }).session('s')
    second.attach()
    await settle()
    expect(second.outbox).toEqual([])
    const thaw = async (afterMs: number): Promise<void> => {
      await world.clock.advance(afterMs)
      frozen = false
      // A try to connect that is under way ends first.
      await world.clock.advance(60_000)
    }
    return { ...world, first, thaw }
  }

  test('[P-2.5] two tabs that have the same send it both, with the same ids, and it is there once', async () => {
    const { server, first, thaw } = await twoTabs((session) => void session.publish(x()))
    await thaw(300_000)
    expect(server.received.filter(({ op }) => op === 'publish')).toHaveLength(2)
    expect(server.log('s').events).toHaveLength(1)
    expect(first.outbox).toEqual([])
  })

  test('a message that another tab has sent is there once, however long this one stood still', async () => {
    const { server, first, thaw } = await twoTabs(
      (session) => void session.send('one', { id: 'a' }),
    )
    // It has forgotten the id, and knows the message.
    server.refusals.set('publish', { code: 'message_exists', retryable: false })
    await thaw(1_200_000)
    expect(server.refusals.size).toBe(0)
    expect(first.outbox).toEqual([])
    expect(first.messages).toEqual([server.log('s').view.messages.get('a')])
  })

  test('two tabs never overwrite each other’s outbox', async () => {
    const world = await live()
    const other = await live(world)
    world.server.last.cut()
    world.server.openConnections[0]?.cut()
    void world.session.send('one', { id: 'a' })
    void other.session.send('two', { id: 'b' })
    expect(world.local.length).toBe(2)
    await world.clock.advance(250)
    expect(world.local.length).toBe(0)
    expect(world.server.log('s').events).toHaveLength(2)
  })
})
