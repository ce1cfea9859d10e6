import { expect, test } from 'vitest'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { DueDeadline } from '../../src/core/store.ts'
import type { SessionId } from '../../src/protocol/ids.ts'
import { FakeLog } from '../support/sim-log.ts'
import { SESSION, World } from './world.ts'

type Handler = (due: DueDeadline) => Promise<void>

/** A node of which only the sweeper runs. */
async function open(handler: Handler) {
  const world = new World()
  world.node().close()
  await world.session()
  const log = new FakeLog()
  const handlers = new Map([['work', handler]])
  const fraction = () => world.random.fraction()
  const start = () => new Sweeper({ ...ports, handlers }, fraction)
  const ports = { store: world.store, clock: world.clock, log }
  const set = (name: string, inMs: number, session = SESSION) =>
    world.store.commit({ session, deadlines: [{ deadline: name, inMs }] })
  return { world, log, start, set, clock: world.clock }
}

/** Clears the deadline once, by the guard, as every handler must. */
const clearing =
  (world: () => World, fired: string[]): Handler =>
  async (due) => {
    const { session, deadline, at } = due
    const result = await world().store.commit({
      session,
      guards: [{ deadline, at }],
      deadlines: [{ deadline, inMs: null }],
    })
    if (result.outcome === 'committed') fired.push(deadline)
  }

test('a deadline fires when it is due, within a second or so, and not before', async () => {
  const fired: string[] = []
  const { start, set, clock, world } = await open(clearing(() => world, fired))
  start()
  await set('work:a', 5000)
  await clock.advance(4999)
  expect(fired).toEqual([])
  await clock.advance(1300)
  expect(fired).toEqual(['work:a'])
  await clock.advance(60_000)
  expect(fired).toEqual(['work:a'])
})

test('sweepers of many nodes fire each deadline once [invariant 7]', async () => {
  const fired: string[] = []
  const { start, set, clock, world } = await open(clearing(() => world, fired))
  for (let node = 0; node < 5; node++) start()
  for (let i = 0; i < 100; i++) await set(`work:${i}`, 1000 + 10 * i)
  await clock.advance(10_000)
  expect(fired.toSorted()).toEqual(Array.from({ length: 100 }, (_, i) => `work:${i}`).toSorted())
})

test('a backlog is worked off within one turn', async () => {
  const fired: string[] = []
  const { start, set, clock, world } = await open(clearing(() => world, fired))
  for (let i = 0; i < 1500; i++) await set(`work:${i}`, 1)
  start()
  await clock.advance(1300)
  expect(fired).toHaveLength(1500)
})

test('those whose handlers always fail do not keep the others from their turn', async () => {
  const fired: string[] = []
  const { start, set, clock, world, log } = await open(async (due) => {
    if (due.deadline.startsWith('work:bad')) throw new Error('always')
    await clearing(() => world, fired)(due)
  })
  for (let i = 0; i < 500; i++) await set(`work:bad${i}`, 1)
  await set('work:good', 1000)
  start()
  await clock.advance(4000)
  expect(fired).toEqual(['work:good'])
  expect(log.at('warn')).toContain('sweeper.handler_failed')
})

test('a handler that failed once is asked again', async () => {
  const fired: string[] = []
  let failures = 1
  const { start, set, clock, world } = await open(async (due) => {
    if (failures-- > 0) throw new Error('once')
    await clearing(() => world, fired)(due)
  })
  await set('work:a', 1)
  start()
  await clock.advance(10_000)
  expect(fired).toEqual(['work:a'])
})

test('a deadline that nobody knows is cleared, and said aloud', async () => {
  const { start, set, clock, world, log } = await open(() => Promise.resolve())
  await set('mystery:a', 1)
  start()
  await clock.advance(3000)
  expect(log.at('error')).toEqual(['sweeper.unknown_deadline'])
  expect(await world.store.due(10)).toEqual([])
})

test('a store that fails costs a look, not the sweeper', async () => {
  const fired: string[] = []
  const { start, set, clock, world, log } = await open(clearing(() => world, fired))
  await set('work:a', 1)
  const due = world.store.due.bind(world.store)
  world.store.due = () => Promise.reject(new Error('down'))
  start()
  await clock.advance(5000)
  expect(log.at('warn')).toContain('sweeper.failed')
  world.store.due = due
  await clock.advance(2000)
  expect(fired).toEqual(['work:a'])
})

test('a sweeper that was closed looks no more', async () => {
  const fired: string[] = []
  const { start, set, clock, world } = await open(clearing(() => world, fired))
  await world.session(undefined, 'other' as SessionId)
  await set('work:a', 1)
  start().close()
  await clock.advance(10_000)
  expect(fired).toEqual([])
  expect(clock.timers).toBe(0)
})
