import { describe, expect, test, vi } from 'vitest'
import { countAttached } from '../../src/core/attached.ts'
import type { DueDeadline } from '../../src/core/store.ts'
import type { MemberId, SessionId } from '../../src/protocol/ids.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { Member } from '../../src/protocol/event.ts'
import type { SimNode } from '../support/sim-node.ts'
import { BY, grant, refusal, SESSION, World } from './world.ts'

const TAB = 'tab' as MemberId
const UNAVAILABLE = new HeldlineError('store_unavailable', 'unable to reach the store')
const attach = { op: 'attach', session: SESSION, presence: { member: TAB } }

async function present(world = new World(), node = world.node()) {
  await world.session()
  const socket = node.connect(grant())
  socket.ask(attach)
  await world.clock.settle()
  return { world, node, socket, clock: world.clock }
}

/** What happened to members, as the log tells it. */
async function story(world: World): Promise<string[]> {
  const events = (await world.log()).filter((event) => event.type.startsWith('member.'))
  return events.map(({ type, data }) => {
    const { connected, reason } = data as { connected?: boolean; reason?: string }
    return [type.slice(7), reason ?? (connected === false ? 'away' : '')].join(' ').trim()
  })
}

describe('entering', () => {
  test('makes the subject a member, as the credentials say who it is [P-5.1] [P-5.2]', async () => {
    const { world, socket } = await present()
    expect(socket.last('attached')).toMatchObject({ member: TAB })
    expect((await world.log()).at(-1)?.data).toEqual({
      member: TAB,
      subject: 'ada',
      kind: 'human',
      connected: true,
      visible: true,
    })
  })

  test('without a name, the member is named by the connection [P-5.1]', async () => {
    const { world, node, clock } = await present()
    const socket = node.connect(grant())
    socket.ask({ op: 'attach', session: SESSION, presence: {} })
    await clock.settle()
    expect(socket.last('attached')?.member).toBe(socket.connection.id)
    expect(await story(world)).toEqual(['entered', 'entered'])
  })

  test('again with the same to say changes nothing; with more to say it is an update', async () => {
    const { world, socket, clock } = await present()
    const say = (presence: object) => socket.ask({ op: 'presence', session: SESSION, presence })
    say({})
    await clock.settle()
    expect(await story(world)).toEqual(['entered'])
    say({ status: 'typing', data: { cursor: 3 } })
    await clock.settle()
    expect(await story(world)).toEqual(['entered', 'updated'])
    expect((await world.log()).at(-1)?.data).toMatchObject({
      status: 'typing',
      data: { cursor: 3 },
    })
  })

  test('a kind that the credentials do not allow is forbidden [P-5.1]', async () => {
    const { socket, clock, node } = await present()
    socket.ask({ op: 'presence', session: SESSION, presence: { kind: 'agent' } })
    await clock.settle()
    expect(socket.last('error')?.code).toBe('forbidden')
    const agent = node.connect(grant({ kind: 'any', subject: 'key:a' }))
    agent.ask({ op: 'attach', session: SESSION, presence: { kind: 'agent', member: 'a' } })
    await clock.settle()
    expect(agent.last('attached')?.member).toBe('a')
  })

  test('another subject’s member cannot be taken [invariant 8]', async () => {
    const { world, node, clock } = await present()
    const socket = node.connect(grant({ subject: 'eve' }))
    socket.ask(attach)
    await clock.settle()
    expect(socket.last('error')?.code).toBe('forbidden')
    expect(await story(world)).toEqual(['entered'])
  })

  test('a session has a bounded number of members, exactly, however many come at once', async () => {
    const world = new World({ maxMembers: 5 })
    await world.session()
    const nodes = [world.node(), world.node()]
    const sockets = Array.from({ length: 20 }, (_, i) => {
      const socket = nodes[i % 2]!.connect(grant())
      socket.ask({ ...attach, presence: { member: `m${i}` } })
      return socket
    })
    await world.clock.settle()
    const refused = sockets.filter((socket) => socket.last('error')?.code === 'presence_limit')
    expect(refused).toHaveLength(15)
    expect(await story(world)).toHaveLength(5)
    expect(await world.field('members')).toBe('5 5')
  })

  test('a closed session takes no members', async () => {
    const { world, node, clock } = await present()
    await node.sessions.close({ session: SESSION, by: BY })
    const socket = node.connect(grant())
    socket.ask({ ...attach, presence: { member: 'late' } })
    await clock.settle()
    expect(socket.last('error')?.code).toBe('session_closed')
    expect(await story(world)).toEqual(['entered'])
  })
})

describe('leaving [P-5.3]', () => {
  test('a detach leaves at once, and once', async () => {
    const { world, socket, clock } = await present()
    socket.ask({ op: 'detach', session: SESSION })
    socket.ask({ op: 'detach', session: SESSION })
    await clock.settle()
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'left detached'])
    expect(await world.field('members')).toBe('0 0')
  })

  test('an attach without presence, in the place of one with it, keeps the member', async () => {
    const { world, socket, clock } = await present()
    socket.ask({ op: 'attach', session: SESSION })
    await clock.settle()
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered'])
  })

  test('a removal by somebody else leaves at once, and the socket does not bring the member back by itself', async () => {
    const { world, node, clock } = await present()
    await world.node().presence.leave(SESSION, TAB, BY)
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'left detached'])
    expect(node.presence.size).toBe(0)
  })
})

describe('a lost socket [P-5.4] [invariant 7]', () => {
  test('changes nothing for 15 s, is seen as not connected then, and leaves 120 s after the loss', async () => {
    const { world, socket, clock } = await present()
    await clock.advance(100_000)
    socket.drop()
    await clock.advance(14_900)
    expect(await story(world)).toEqual(['entered'])
    await clock.advance(1500)
    expect(await story(world)).toEqual(['entered', 'updated away'])
    await clock.advance(103_000)
    expect(await story(world)).toEqual(['entered', 'updated away'])
    await clock.advance(2500)
    expect(await story(world)).toEqual(['entered', 'updated away', 'left expired'])
    expect(await world.field('members')).toBe('0 0')
    await clock.advance(600_000)
    expect(await story(world)).toHaveLength(3)
  })

  test('that is back within the grace was never seen to go, on whatever node', async () => {
    const { world, socket, clock } = await present()
    const elsewhere = world.node()
    socket.drop()
    await clock.advance(10_000)
    elsewhere.connect(grant()).ask(attach)
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered'])
  })

  test('that is back within the window is an update, never an enter', async () => {
    const { world, socket, clock, node } = await present()
    socket.drop()
    await clock.advance(60_000)
    node.connect(grant()).ask(attach)
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated away', 'updated'])
  })

  test('a member whose node died is noticed within 45 s more, by whichever node is there', async () => {
    const { world, node, clock } = await present()
    await clock.advance(100_000)
    node.presence.close()
    node.sweeper.close()
    const other = world.node()
    await clock.advance(29_000)
    expect(await story(world)).toEqual(['entered'])
    await clock.advance(17_500)
    expect(await story(world)).toEqual(['entered', 'updated away'])
    await clock.advance(105_000)
    expect(await story(world)).toEqual(['entered', 'updated away', 'left expired'])
    other.close()
  })

  test('members of a session without any reader leave all the same', async () => {
    const { world, socket, clock, node } = await present()
    socket.drop()
    await clock.settle()
    node.close()
    world.node()
    await clock.advance(130_000)
    expect(await story(world)).toEqual(['entered', 'updated away', 'left expired'])
  })

  test('however many nodes look, a deadline fires once', async () => {
    const { world, socket, clock } = await present()
    const nodes = [...world.nodes, world.node(), world.node(), world.node()]
    socket.drop()
    await clock.settle()
    for (const away of [16_000, 106_000]) {
      await clock.stall(away)
      await clock.resolve(Promise.all(nodes.map((node) => node.sweeper.sweep())))
    }
    expect(await story(world)).toEqual(['entered', 'updated away', 'left expired'])
  })
})

describe('two connections of one member [P-5.4]', () => {
  /** The tab is attached at one node, and attaches again at another, with the old socket still open. */
  async function moved() {
    const { world, node, socket, clock } = await present()
    const next = world.node()
    const newer = next.connect(grant())
    newer.ask({ ...attach, presence: { member: TAB, status: 'newer' } })
    await clock.settle()
    return { world, clock, old: { node, socket }, newer: { node: next, socket: newer } }
  }

  test('the end of the older one does not take the member along', async () => {
    const { world, clock, old } = await moved()
    old.socket.drop()
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated'])
  })

  test('a detach of the older one does not take the member along', async () => {
    const { world, clock, old } = await moved()
    old.socket.ask({ op: 'detach', session: SESSION })
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated'])
  })

  test('a word of the older one does not override the newer', async () => {
    const { world, clock, old } = await moved()
    const presence = { status: 'older' }
    const ref = old.socket.ask({ op: 'presence', session: SESSION, presence })
    await clock.settle()
    expect(old.socket.answers(ref)[0]?.type).toBe('ok')
    await clock.advance(60_000)
    old.socket.ask({ op: 'presence', session: SESSION, presence })
    await clock.settle()
    expect((await world.log()).at(-1)?.data).toMatchObject({ status: 'newer' })
    expect(await story(world)).toEqual(['entered', 'updated'])
  })

  test('when the newer one is lost and the older one still there, the member is there', async () => {
    const { world, clock, newer } = await moved()
    newer.socket.drop()
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated', 'updated away', 'updated'])
  })

  test('when the newer one has left, the older one may speak again', async () => {
    const { world, clock, old, newer } = await moved()
    newer.socket.ask({ op: 'detach', session: SESSION })
    await clock.settle()
    old.socket.ask({ op: 'presence', session: SESSION, presence: { status: 'older' } })
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated', 'left detached', 'entered'])
  })
})

describe('a node that slept', () => {
  test('and was not missed brings nobody in doubt', async () => {
    const { world, clock } = await present()
    await clock.advance(100_000)
    await clock.stall(200_000)
    await clock.advance(100_000)
    expect(await story(world)).toEqual(['entered'])
  })

  /** One node sleeps while another goes on: its timers stand still, its store calls wait. */
  async function asleep(forMs: number) {
    const world = new World()
    let awake: Promise<void> = Promise.resolve()
    const { store } = world
    const slow = new Proxy(store, {
      get: (target, name: keyof typeof store) => {
        const value = target[name]
        if (typeof value !== 'function') return value
        return async (...args: never[]) => {
          await awake
          return Reflect.apply(value, target, args) as unknown
        }
      },
    })
    const node = world.node({ store: slow })
    const { clock } = await present(world, node)
    world.node()
    await clock.advance(20_000)
    let wake: () => void = () => undefined
    awake = new Promise((resolve) => {
      wake = resolve
    })
    await clock.advance(forMs)
    wake()
    await clock.settle()
    return { world, clock, node }
  }

  test('past the deadline of its members says again that they are there', async () => {
    const { world, clock } = await asleep(70_000)
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated away', 'updated'])
  })

  test('until its members had left brings them back', async () => {
    const { world, clock, node } = await asleep(200_000)
    await clock.advance(300_000)
    expect(await story(world)).toEqual(['entered', 'updated away', 'left expired', 'entered'])
    expect(node.presence.size).toBe(1)
  })

  test('does not override a connection that came elsewhere meanwhile', async () => {
    const { world, clock } = await asleep(70_000)
    const newer = world.nodes[1]!.connect(grant())
    newer.ask({ ...attach, presence: { member: TAB, status: 'newer' } })
    await clock.advance(100_000)
    expect((await world.log()).at(-1)?.data).toMatchObject({ status: 'newer', connected: true })
  })
})

describe('a store that fails', () => {
  test('for longer than the deadline costs members an update, not their place', async () => {
    const { world, clock, node } = await present()
    const down = vi.spyOn(world.store, 'commit').mockRejectedValue(UNAVAILABLE)
    await clock.advance(100_000)
    expect(node.log.at('warn')).toContain('presence.refresh_failed')
    down.mockRestore()
    await clock.advance(300_000)
    expect((await story(world)).filter((what) => what.startsWith('left'))).toEqual([])
    expect((await world.log()).at(-1)?.data).toMatchObject({ connected: true })
  })

  test('at the loss of a socket only delays what follows from it', async () => {
    const { world, clock, socket, node } = await present()
    const down = vi.spyOn(world.store, 'commit').mockRejectedValue(UNAVAILABLE)
    socket.drop()
    await clock.settle()
    down.mockRestore()
    expect(node.log.at('warn')).toEqual(['presence.lost_failed'])
    await clock.advance(46_500)
    expect(await story(world)).toEqual(['entered', 'updated away'])
  })
})

describe('over HTTP [P-5.5]', () => {
  const enter = (node: SimNode, ttlMs: number) =>
    node.presence.enter(SESSION, { member: 'http' }, grant(), 'http:1', ttlMs)

  test('a member lives for as long as it is refreshed', async () => {
    const world = new World()
    const node = world.node()
    await world.session()
    for (let i = 0; i < 5; i++) {
      await enter(node, 10_000)
      await world.clock.advance(9000)
    }
    expect(await story(world)).toEqual(['entered'])
    await world.clock.advance(2500)
    expect(await story(world)).toEqual(['entered', 'updated away'])
    expect(node.presence.size).toBe(0)
  })

  test('members of one subject count once, those who are away not at all', () => {
    const member = (change: Partial<Member>): Member => ({
      member: 'm',
      subject: 'ada',
      kind: 'human',
      connected: true,
      visible: true,
      ...change,
    })
    const members = [
      member({}),
      member({ member: 'n' }),
      member({ subject: 'bob', connected: false }),
      member({ subject: 'key:a', kind: 'agent' }),
    ]
    expect(countAttached(members)).toEqual({ human: 1, agent: 1, supervisor: 0 })
  })

  test('nobody enters a session that is not there', async () => {
    const node = new World().node()
    expect(await refusal(enter(node, 1000))).toBe('session_not_found')
  })
})

describe('more at once than a node lets wait [invariant 8]', () => {
  /** A session with one member whose store stands still, and as many who wait to enter as are let wait. */
  async function crowd() {
    const world = new World({ maxMembers: 4 })
    const there = await present(world)
    const commit = world.store.commit.bind(world.store)
    const still = Promise.withResolvers<void>()
    const held = vi.spyOn(world.store, 'commit').mockImplementation(async (request) => {
      await still.promise
      return commit(request)
    })
    const enter = (name: string): Promise<string | null> =>
      refusal(there.node.presence.enter(SESSION, { member: name }, grant(), 'http:1', 60_000))
    const entering = Array.from({ length: 300 }, (_, i) => enter(`m${i}`))
    const goOn = (): void => {
      held.mockRestore()
      still.resolve()
    }
    return { ...there, entering, enter, goOn }
  }

  test('those who would enter are told to come again, and may then', async () => {
    const { clock, entering, enter, goOn } = await crowd()
    goOn()
    await clock.settle()
    const answers = Map.groupBy(await Promise.all(entering), (code) => code)
    // One of the four was there before; 4 + 256 waited.
    expect([...answers].map(([code, all]) => [code, all.length])).toEqual([
      [null, 3],
      ['presence_limit', 257],
      ['contention', 40],
    ])
    expect(await enter('tab')).toBe(null)
  })

  test('whoever leaves meanwhile has left', async () => {
    const { world, clock, socket, goOn } = await crowd()
    socket.ask({ op: 'detach', session: SESSION })
    goOn()
    await clock.settle()
    expect((await story(world)).at(-1)).toBe('left detached')
  })

  test('whoever is lost meanwhile is seen to be away after the grace', async () => {
    const { world, clock, socket, goOn } = await crowd()
    socket.drop()
    goOn()
    await clock.advance(16_500)
    expect((await story(world)).at(-1)).toBe('updated away')
  })

  test('a deadline that is due meanwhile is not put off', async () => {
    const { world, clock, node, socket, goOn } = await crowd()
    const fired = node.presence.expire({ session: SESSION, deadline: 'member:tab', at: 0 })
    const refreshed = node.presence.refresh()
    goOn()
    await clock.resolve(fired)
    await clock.resolve(refreshed)
    expect(node.log.at('warn')).toEqual([])
    expect(socket.last('error')).toBeUndefined()
    expect((await story(world)).filter((what) => what !== 'entered')).toEqual([])
  })
})

test('a deadline of a member who is not there any more is cleared, and fires nothing', async () => {
  const { world, clock } = await present()
  const deadline = 'member:ghost'
  await world.store.commit({ session: SESSION, deadlines: [{ deadline, inMs: 10 }] })
  await clock.advance(5000)
  expect(await world.store.due(10)).toEqual([] satisfies DueDeadline[])
  expect(await story(world)).toEqual(['entered'])
})

test('sessions do not wait for each other', async () => {
  const world = new World()
  const node = world.node()
  await world.session(undefined, 'a' as SessionId)
  await world.session(undefined, 'b' as SessionId)
  const never = new Promise<never>(() => undefined)
  const commit = world.store.commit.bind(world.store)
  vi.spyOn(world.store, 'commit').mockImplementation((request) =>
    request.session === 'a' ? never : commit(request),
  )
  void node.presence.enter('a' as SessionId, {}, grant(), 'c1')
  await world.clock.resolve(node.presence.enter('b' as SessionId, {}, grant(), 'c1'))
})
