import { describe, expect, test, vi } from 'vitest'
import { settle } from './support/fake-clock.ts'
import type { FakeStorage } from './support/fake-storage.ts'
import { makeWorld } from './support/setup.ts'

const delta = (text: string) => ({ type: 'message.delta', data: { message: 'm', text } })
const started = { type: 'message.started', data: { message: 'm', role: 'assistant' } }

async function live(
  options: Parameters<ReturnType<ReturnType<typeof makeWorld>['open']>['session']>[1] = {},
) {
  const world = makeWorld()
  const client = world.open()
  const session = client.session('s', options)
  session.attach()
  await settle()
  await world.clock.advance(16)
  return { ...world, client, session }
}

describe('what a screen sees', () => {
  test('many deltas, one change before the next paint', async () => {
    const { session, server, page, clock } = await live()
    page.paints = true
    const seen: number[] = []
    session.on('change', (snapshot) => seen.push(snapshot.messages[0]?.serial ?? 0))
    server.append('s', started)
    for (let i = 0; i < 100; i++) server.append('s', delta('x'))
    expect(seen).toEqual([])
    page.paint()
    expect(seen).toEqual([101])
    await clock.advance(1000)
    page.paint()
    expect(seen).toHaveLength(1)
  })

  test('a page that asked for a frame and was hidden is told after 250 ms; one without frames after 16', async () => {
    const { session, server, page, clock } = await live()
    let changes = 0
    session.subscribe(() => (changes += 1))
    page.paints = true
    server.append('s', started)
    await clock.advance(249)
    expect(changes).toBe(0)
    await clock.advance(1)
    expect(changes).toBe(1)
    page.paints = false
    server.append('s', delta('x'))
    await clock.advance(16)
    expect(changes).toBe(2)
  })

  test('a snapshot is the same object until something changes, and its messages never change', async () => {
    const { session, server } = await live()
    server.append('s', started)
    const first = session.getSnapshot()
    expect(session.getSnapshot()).toBe(first)
    expect(session.messages).toBe(first.messages)
    server.append('s', delta('x'))
    const second = session.getSnapshot()
    expect(second).not.toBe(first)
    expect(first.messages[0]?.parts).toEqual([])
    expect(second.messages[0]?.parts).toEqual([{ type: 'text', text: 'x' }])
  })

  test('a listener that throws hurts nobody, and ends when it is told to', async () => {
    const { session, server } = await live()
    const reported = vi.spyOn(console, 'error').mockReturnValue()
    const seen: number[] = []
    session.on('event', () => {
      throw new Error('mine')
    })
    const off = session.on('event', (event) => seen.push(event.serial))
    server.append('s', started)
    off()
    server.append('s', delta('x'))
    expect(seen).toEqual([1])
    expect(session.view.position.serial).toBe(2)
    expect(reported).toHaveBeenCalledTimes(2)
  })

  test('no attach and no timer before the first use', async () => {
    const world = makeWorld()
    const session = world.open().session('s')
    expect(session.messages).toEqual([])
    expect(session.position).toBeNull()
    expect(session.state).toBe('idle')
    await settle()
    expect(world.server.connections).toHaveLength(0)
  })
})

describe('presence', () => {
  test('[P-5.1] goes with every attach, under a name that a reload keeps', async () => {
    const { server, clock, client, open } = await live({ presence: { status: 'here' } })
    server.last.cut()
    await clock.advance(250)
    client.close()
    open().session('s', { presence: true }).attach()
    await settle()
    const attaches = server.received.filter((frame) => frame.op === 'attach')
    const member = attaches[0]?.presence?.member
    expect(member).toMatch(/^tab-/)
    expect(attaches.map((frame) => frame.presence)).toEqual([
      { member, visible: true, status: 'here' },
      { member, visible: true, status: 'here' },
      { member, visible: true },
    ])
  })

  test('[P-5.1] a tab that is duplicated is another member; one that the browser has ended comes back as itself', async () => {
    const { page, open, server, tab } = await live({ presence: true })
    const memberOf = async (tab: FakeStorage): Promise<string | undefined> => {
      open({ tab }).session('s', { presence: true }).attach()
      await settle()
      return server.received.findLast((frame) => frame.op === 'attach')?.presence?.member
    }
    const first = server.received.find((frame) => frame.op === 'attach')?.presence?.member
    expect(await memberOf(tab.copy())).not.toBe(first)
    page.tell('hidden')
    const ended = tab.copy()
    page.tell('visible')
    expect(await memberOf(tab.copy())).not.toBe(first)
    expect(await memberOf(ended)).toBe(first)
  })

  test('says when the page is hidden and shown', async () => {
    const { server, page } = await live({ presence: true })
    page.tell('hidden')
    page.tell('visible')
    const said = server.received.filter((frame) => frame.op === 'presence')
    expect(said.map((frame) => frame.presence.visible)).toEqual([false, true])
  })

  test('nobody is present who does not ask for it', async () => {
    const { server, page } = await live()
    page.tell('hidden')
    expect(server.received.filter((frame) => frame.op === 'presence')).toEqual([])
    expect(server.received[0]).not.toHaveProperty('presence')
  })

  test('what is no JSON is the caller’s mistake, and nothing that is said with the next attach', async () => {
    const { server, session } = await live({ presence: { data: { page: 1 } } })
    const cycle: Record<string, unknown> = {}
    cycle['itself'] = cycle
    for (const data of [{ count: 1n }, cycle]) {
      await expect(session.presence({ data })).rejects.toThrow(TypeError)
    }
    session.detach()
    await expect(session.presence({ data: { count: 1n } })).rejects.toThrow(TypeError)
    session.attach()
    await settle()
    const [last] = server.received.filter((frame) => frame.op === 'attach').toReversed()
    expect(last?.presence).toMatchObject({ data: { page: 1 } })
  })

  test('what is no JSON is refused where it is wished with the session, too', async () => {
    const { client, session } = await live()
    const wish = { presence: { data: { count: 1n } } }
    expect(() => client.session('other', wish)).toThrow(TypeError)
    client.session('other').attach()
    await settle()
    expect([client.session('other').state, session.state]).toEqual(['live', 'live'])
  })

  test('a refusal is the caller’s', async () => {
    const { server, session } = await live()
    server.refusals.set('presence', { code: 'forbidden', retryable: false })
    await expect(session.presence({})).rejects.toMatchObject({ code: 'forbidden' })
  })
})

test('sessions that were left are kept for a while, the last twenty of them', async () => {
  const { client } = await live()
  const first = client.session('left-0')
  for (let i = 0; i < 25; i++) {
    client.session(`left-${i}`).attach()
    await settle()
    client.session(`left-${i}`).detach()
  }
  expect(client.session('left-24').state).toBe('detached')
  expect(client.session('left-0')).not.toBe(first)
})

test('who waits for a view when the client is closed hears that none comes; what waits to be sent is kept', async () => {
  const { open, server, local } = makeWorld()
  server.welcomes = false
  const client = open()
  const session = client.session('s')
  const sent = session.send('Keep me.', { id: 'kept' })
  const told: string[] = []
  session.on('state', (state) => told.push(state))
  session.on('error', ({ code }) => {
    told.push(code)
    session.discard('kept')
  })
  client.close()
  expect(told).toEqual(['failed', 'client_closed'])
  expect(session.getSnapshot().state).toBe('failed')
  await expect(sent).rejects.toMatchObject({ code: 'client_closed' })
  expect(local.text).toContain('Keep me.')
  expect(() => session.attach()).toThrow('closed')
})

test('a client that is closed as soon as there is a view leaves nothing to be done', async () => {
  const { open, clock } = makeWorld()
  const client = open()
  const session = client.session('s')
  void session.send('one')
  session.on('state', (state) => state === 'live' && client.close())
  await clock.advance(600_000)
  expect(clock.pending).toBe(0)
})

test('who has a view when the client is closed keeps it, and has not failed', async () => {
  const { session, client } = await live()
  const told: string[] = []
  session.on('state', (state) => told.push(state))
  session.on('error', ({ code }) => told.push(code))
  client.close()
  expect(told).toEqual([])
  expect(session.state).toBe('live')
})
