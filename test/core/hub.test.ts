import { describe, expect, test } from 'vitest'
import type { Sink } from '../../src/core/cursor.ts'
import type { Batch } from '../../src/core/feed.ts'
import type { Following } from '../../src/core/hub.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { ResetReason } from '../../src/protocol/frames-down.ts'
import { genesis, type Position } from '../../src/protocol/position.ts'
import type { SimNode } from '../support/sim-node.ts'
import { BY, drafted, refusal, SESSION, World } from './world.ts'

/** Notes what its cursor tells it. */
class Reader implements Sink {
  readonly batches: Batch[] = []
  readonly told: (ResetReason | 'gone' | 'failed')[] = []
  full = false
  following: Following | null = null

  get serials(): number[] {
    return this.batches.flatMap((batch) => batch.events.map((event) => event.serial))
  }

  async follow(node: SimNode, position: Position | null): Promise<this> {
    this.following = await node.hub.follow(SESSION, null, this, () => undefined)
    this.following.cursor.move(position ?? this.following.head())
    return this
  }

  ready(): boolean {
    return !this.full
  }

  deliver(batch: Batch): void {
    this.batches.push(batch)
  }

  reset(reason: ResetReason): void {
    this.told.push(reason)
  }

  gone(): void {
    this.told.push('gone')
  }

  failed(): void {
    this.told.push('failed')
  }
}

async function open(count = 0) {
  const world = new World()
  const node = world.node()
  await world.session()
  const say = (n = 1) =>
    Promise.all(
      Array.from({ length: n }, () =>
        node.sessions.append({ session: SESSION, drafts: [drafted('x.a', 1)], by: BY }),
      ),
    )
  await say(count)
  const { epoch } = await node.sessions.head(SESSION)
  const reads: number[] = []
  const read = world.store.read.bind(world.store)
  world.store.read = (session, range) => {
    reads.push(range.after)
    return read(session, range)
  }
  return { world, node, say, reads, start: genesis(epoch), clock: world.clock }
}

describe('following', () => {
  test('what readers at one place get is one object, encoded once, whether it is old or new', async () => {
    const { node, say, start, clock } = await open(5)
    const readers = await Promise.all([1, 2, 3].map(() => new Reader().follow(node, start)))
    await clock.settle()
    await say(3)
    await clock.settle()
    const [first, ...others] = readers as [Reader, ...Reader[]]
    expect(first.serials).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    for (const other of others)
      expect(other.batches.map((b, i) => b === first.batches[i])).not.toContain(false)
  })

  test('what comes within one turn goes out as one frame', async () => {
    const { node, say, clock } = await open()
    const reader = await new Reader().follow(node, null)
    await say(10)
    await clock.settle()
    expect(reader.batches).toHaveLength(1)
    expect(reader.serials).toHaveLength(10)
  })

  test('readers at the head need no store for what comes', async () => {
    const { node, say, reads, clock } = await open()
    const reader = await new Reader().follow(node, null)
    await clock.settle()
    reads.length = 0
    for (let i = 0; i < 5; i++) {
      await say()
      await clock.settle()
    }
    expect(reader.serials).toEqual([2, 3, 4, 5, 6])
    expect(reads).toEqual([])
  })

  test('many who return to one place share a read of the store', async () => {
    const { node, start, reads, clock } = await open(20)
    await Promise.all(Array.from({ length: 50 }, () => new Reader().follow(node, start)))
    await clock.settle()
    expect(reads).toEqual([0])
  })

  test('who returns a moment after another is given what that one was given, up to the head and beyond', async () => {
    const { node, say, start, reads, clock } = await open(3)
    const first = await new Reader().follow(node, start)
    await clock.settle()
    const second = await new Reader().follow(node, start)
    await clock.settle()
    expect(second.batches[0]).toBe(first.batches[0])
    await say()
    const third = await new Reader().follow(node, start)
    await clock.settle()
    expect(third.batches[0]).toBe(first.batches[0])
    for (const { serials } of [first, second, third]) expect(serials).toEqual([1, 2, 3, 4, 5])
    expect(reads).toEqual([0])
    await clock.advance(1000)
    await new Reader().follow(node, start)
    await clock.settle()
    expect(reads).toEqual([0, 0])
  })

  test('a feed is gone with its last reader, and nothing of it is left', async () => {
    const { node, world } = await open()
    const [a, b] = [await new Reader().follow(node, null), await new Reader().follow(node, null)]
    expect(node.hub.feeds).toBe(1)
    a.following?.close()
    a.following?.close()
    expect(node.hub.feeds).toBe(1)
    b.following?.close()
    expect(node.hub.feeds).toBe(0)
    expect(world.signals.hears(SESSION)).toBe(false)
  })

  test('who comes in the very moment in which the last one goes is not left with a dead feed', async () => {
    for (let ticks = 0; ticks < 8; ticks++) {
      const { node, say, clock } = await open()
      const before = await new Reader().follow(node, null)
      const coming = new Reader().follow(node, null)
      for (let i = 0; i < ticks; i++) await Promise.resolve()
      before.following?.close()
      const reader = await coming
      await say()
      await clock.settle()
      expect(reader.serials, `after ${ticks} ticks`).toEqual([2])
    }
  })

  test('a session that is not there is not found, and nothing is left of the attempt', async () => {
    const world = new World()
    const node = world.node()
    expect(await refusal(new Reader().follow(node, null))).toBe('session_not_found')
    expect(node.hub.feeds).toBe(0)
    expect(world.signals.hears(SESSION)).toBe(false)
  })

  test('a hub that is closed takes nobody, not even who was coming', async () => {
    const { node, world, clock } = await open()
    const coming = refusal(new Reader().follow(node, null))
    node.close()
    expect(await coming).toBe('draining')
    expect(await refusal(new Reader().follow(node, null))).toBe('draining')
    await clock.advance(20_000)
    expect(clock.timers).toBe(0)
    expect(world.signals.hears(SESSION)).toBe(false)
  })
})

describe('a store that fails', () => {
  test('for a while costs a delay: the reader goes on with the next verification', async () => {
    const { node, world, start, clock } = await open(3)
    const read = world.store.read.bind(world.store)
    world.store.read = () => Promise.reject(new HeldlineError('store_unavailable', 'down'))
    const reader = await new Reader().follow(node, start)
    await clock.advance(9000)
    expect(reader.told).toContain('failed')
    expect(reader.serials).toEqual([])
    world.store.read = read
    await clock.advance(4100)
    expect(reader.serials).toEqual([1, 2, 3, 4])
  })

  test('with a corrupt event gives what is good before it, and then says so [P-4.4]', async () => {
    const { node, world, start, clock } = await open(5)
    const read = world.store.read.bind(world.store)
    world.store.read = async (session, range) => {
      if (range.after >= 3) throw new HeldlineError('event_corrupt', 'the checksum differs')
      return read(session, { ...range, limit: 3 - range.after })
    }
    const reader = await new Reader().follow(node, start)
    await clock.advance(20_000)
    expect(reader.serials).toEqual([1, 2, 3])
    expect(reader.told).toEqual(['corrupt'])
  })

  test('to give heads is noticed, and heals', async () => {
    const { node, world, clock } = await open()
    await new Reader().follow(node, null)
    world.store.heads = () => Promise.reject(new Error('down'))
    await clock.advance(5000)
    expect(node.log.at('warn')).toEqual(['hub.verify_failed'])
  })
})

describe('a lost wake-up', () => {
  test('costs 4 s, and nothing once the connection to the others is said to be back [invariant 2]', async () => {
    const { node, world, say, clock } = await open()
    const reader = await new Reader().follow(node, null)
    const { subscribe } = { subscribe: world.signals.wake.bind(world.signals) }
    world.signals.wake = () => undefined
    await say()
    await clock.advance(4100)
    expect(reader.serials).toEqual([2])
    await say()
    await node.hub.verify()
    await clock.settle()
    expect(reader.serials).toEqual([2, 3])
    world.signals.wake = subscribe
  })

  test('a wake-up that says nothing new asks the store nothing', async () => {
    const { node, world, say, reads, clock } = await open()
    await new Reader().follow(node, null)
    await say()
    await clock.settle()
    reads.length = 0
    const { epoch, head } = await node.sessions.head(SESSION)
    for (let i = 0; i < 20; i++) {
      world.signals.wake(SESSION, { kind: 'committed', epoch, first: head, last: head, events: [] })
    }
    await clock.settle()
    expect(reads).toEqual([])
  })
})
