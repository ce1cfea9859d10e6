import { expect, test } from 'vitest'
import type { Batch } from '../../src/core/feed.ts'
import { RecentBatches, RecentRoom } from '../../src/core/recent-batches.ts'
import { genesis, type Position } from '../../src/protocol/position.ts'
import type { Epoch, Tag } from '../../src/protocol/ids.ts'
import { FakeClock } from '../support/fake-clock.ts'

const EPOCH = 'e' as Epoch
const at = (serial: number): Position => ({ epoch: EPOCH, serial, tag: `tag${serial}` as Tag })

function batch(bytes: number): Batch {
  const frame = { text: 'x'.repeat(bytes), type: 'events', reaches: genesis(EPOCH) } as const
  return { events: [], reaches: genesis(EPOCH), frame }
}

test('sessions share one room: what was kept first goes, whoever kept it, and no more is held than fits', () => {
  const clock = new FakeClock()
  const room = new RecentRoom(1000)
  const sessions = Array.from({ length: 100 }, () => new RecentBatches(clock, room))
  for (const session of sessions) session.keep(at(1), batch(300))
  const held = sessions.map((session) => session.after(at(1)) !== null)
  expect(held.lastIndexOf(false)).toBe(96)
  expect(held.filter(Boolean)).toHaveLength(3)
  expect(room.bytes).toBe(900)
})

test('what is forgotten, put in another’s place or over in time leaves its room', async () => {
  const clock = new FakeClock()
  const room = new RecentRoom(10_000)
  const [one, other] = [new RecentBatches(clock, room), new RecentBatches(clock, room)]
  for (let serial = 0; serial < 20; serial++) one.keep(at(serial), batch(100))
  expect(room.bytes).toBe(800)
  one.keep(at(19), batch(50))
  expect(room.bytes).toBe(750)
  other.keep(at(1), batch(100))
  one.clear()
  expect(room.bytes).toBe(100)
  await clock.advance(1000)
  expect(room.bytes).toBe(0)
  expect(other.after(at(1))).toBeNull()
})

test('what is larger than the room is not kept', () => {
  const room = new RecentRoom(100)
  const session = new RecentBatches(new FakeClock(), room)
  session.keep(at(1), batch(101))
  expect(session.after(at(1))).toBeNull()
  expect(room.bytes).toBe(0)
})
