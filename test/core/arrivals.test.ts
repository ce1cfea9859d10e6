import { expect, test } from 'vitest'
import type { SessionId } from '../../src/protocol/ids.ts'
import { formatPosition, genesis } from '../../src/protocol/position.ts'
import type { FakeSocket } from '../support/sim-socket.ts'
import { BY, drafted, grant, NO_LIMITS, SESSION, World } from './world.ts'

// Many readers arrive at once, each of another session: what they need of the store they get in turns.

const AT_ONCE = 3
const names = Array.from({ length: 20 }, (_, i) => `away-${i}` as SessionId)

/** What arrivals ask of the store is held until it is let go; what the others ask is not. */
async function stormy() {
  const world = new World({ arrivalsAtOnce: AT_ONCE })
  const node = world.node()
  const positions = new Map<SessionId, string>()
  for (const session of [SESSION, ...names]) {
    await world.session(NO_LIMITS, session)
    positions.set(session, formatPosition(genesis((await node.sessions.head(session)).epoch)))
    await node.sessions.append({ session, drafts: [drafted('x.a', 1)], by: BY })
  }
  const held: (() => void)[] = []
  const asked: SessionId[] = []
  let most = 0
  const hold = async (session: SessionId | undefined): Promise<void> => {
    if (session === undefined || session === SESSION) return
    asked.push(session)
    await new Promise<void>((resolve) => {
      held.push(resolve)
      most = Math.max(most, held.length)
    })
  }
  const heads = world.store.heads.bind(world.store)
  world.store.heads = async (sessions) => {
    await hold(sessions.length === 1 ? sessions[0] : undefined)
    return heads(sessions)
  }
  const read = world.store.read.bind(world.store)
  world.store.read = async (session, range) => {
    await hold(session)
    return read(session, range)
  }
  const attach = async (session: SessionId, position?: string): Promise<FakeSocket> => {
    const socket = node.connect(grant())
    await world.clock.settle()
    socket.ask({ op: 'attach', session, ...(position !== undefined && { position }) })
    await world.clock.settle()
    return socket
  }
  return { world, node, held, asked, attach, positions, most: () => most }
}

const serials = (socket: FakeSocket): number[] =>
  socket.all('events').flatMap(({ events }) => events.map(({ serial }) => serial))

test('readers that arrive ask the store so many at a time, and all are given what they missed [S2-13]', async () => {
  const { world, held, attach, positions, most } = await stormy()
  const sockets: FakeSocket[] = []
  for (const session of names) sockets.push(await attach(session, positions.get(session)))
  expect(sockets.flatMap((socket) => socket.all('attached'))).toEqual([])
  for (let left = 1000; held.length > 0 && left > 0; left--) {
    held.shift()?.()
    await world.clock.settle()
  }
  expect(sockets.map(serials)).toEqual(names.map(() => [1, 2]))
  expect(most()).toBe(AT_ONCE)
})

test('readers that join without a position wait in the same line', async () => {
  const { world, held, attach, most } = await stormy()
  const sockets: FakeSocket[] = []
  for (const session of names) sockets.push(await attach(session))
  for (let left = 1000; held.length > 0 && left > 0; left--) {
    held.shift()?.()
    await world.clock.settle()
  }
  expect(sockets.map((socket) => socket.all('snapshot').at(-1)?.last)).toEqual(
    names.map(() => true),
  )
  expect(most()).toBe(AT_ONCE)
})

test('nothing is read for readers that have gone while they waited', async () => {
  const { world, held, asked, attach } = await stormy()
  const sockets: FakeSocket[] = []
  for (const session of names) sockets.push(await attach(session))
  const next = async (): Promise<void> => {
    held.shift()?.()
    await world.clock.settle()
  }
  // The head of each is known, and the first ones are given theirs.
  for (const _ of names) await next()
  expect(sockets.flatMap((socket) => socket.all('attached'))).toHaveLength(names.length)
  for (const socket of sockets.slice(0, -1)) socket.drop()
  await world.clock.settle()
  const before = asked.length
  while (held.length > 0) await next()
  const under = new Set(names.slice(0, AT_ONCE))
  const since = asked.slice(before).filter((session) => !under.has(session))
  expect(new Set(since)).toEqual(new Set(names.slice(-1)))
  expect(sockets.at(-1)?.all('snapshot').at(-1)?.last).toBe(true)
})

test('who follows already waits for nobody who arrives, not even where a wake-up was lost', async () => {
  const { world, node, attach, positions } = await stormy()
  const follower = await attach(SESSION, positions.get(SESSION))
  expect(serials(follower)).toEqual([1, 2])
  for (const session of names) await attach(session, positions.get(session))
  await node.sessions.append({ session: SESSION, drafts: [drafted('x.a', 2)], by: BY })
  await world.clock.settle()
  expect(serials(follower)).toEqual([1, 2, 3])

  const wake = world.signals.wake.bind(world.signals)
  world.signals.wake = () => undefined
  await node.sessions.append({ session: SESSION, drafts: [drafted('x.a', 3)], by: BY })
  world.signals.wake = wake
  await world.clock.advance(world.limits.verifyMs)
  expect(serials(follower)).toEqual([1, 2, 3, 4])
})
