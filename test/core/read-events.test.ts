import { describe, expect, test } from 'vitest'
import type { Position } from '../../src/protocol/position.ts'
import { formatPosition, genesis } from '../../src/protocol/position.ts'
import type { Tag } from '../../src/protocol/ids.ts'
import type { Signals } from '../../src/core/signals.ts'
import { BY, drafted, SESSION, World } from './world.ts'

async function open(count = 5, signals?: Signals) {
  const world = new World()
  const node = world.node(signals && { signals })
  await world.session()
  const say = () => node.sessions.append({ session: SESSION, drafts: [drafted('x.a')], by: BY })
  for (let i = 1; i < count; i++) await say()
  const head = await node.sessions.head(SESSION)
  const read = (after: Position | number, waitMs = 0, signal?: AbortSignal, limit = 100) =>
    node.sessions.events(SESSION, after, { limit, waitMs, ...(signal && { signal }) })
  return { world, node, say, read, head, clock: world.clock }
}

const serials = (page: { readonly events: readonly { readonly serial: number }[] }) =>
  page.events.map((event) => event.serial)

/** Hears nothing, as when every wake-up is lost. */
const DEAF: Signals = {
  subscribe: () => ({ close: () => undefined }),
  send: () => undefined,
  onRestored: () => ({ close: () => undefined }),
}

describe('reading after a place [P-9.4]', () => {
  test('by serial or by position, page by page, each with the position to read on from', async () => {
    const { read, head } = await open(7)
    const first = await read(0, 0, undefined, 3)
    expect(serials(first)).toEqual([1, 2, 3])
    const second = await read(first.position, 0, undefined, 3)
    expect(serials(second)).toEqual([4, 5, 6])
    const rest = await read(second.position, 0, undefined, 3)
    expect(serials(rest)).toEqual([7])
    const end = await read(rest.position)
    expect(serials(end)).toEqual([])
    expect(formatPosition(end.position)).toBe(`${head.epoch}.7.${head.tag}`)
    expect(serials(await read(genesis(head.epoch)))).toHaveLength(7)
  })

  test('a position that cannot be followed says why, and where the log is', async () => {
    const { read, head } = await open(5)
    const at = { epoch: head.epoch, serial: head.head, tag: head.tag }
    const wrong = 'AAAAAAAA' as Tag
    for (const [after, reason] of [
      [{ ...at, epoch: 'AAAAAAAAAA' as typeof at.epoch }, 'epoch'],
      [{ ...at, serial: 6 }, 'ahead'],
      [{ ...at, tag: wrong }, 'fork'],
      [{ ...at, serial: 2, tag: wrong }, 'fork'],
      [6, 'ahead'],
    ] as const) {
      await expect(read(after)).rejects.toMatchObject({
        code: 'position_unrecoverable',
        facts: { reason, floor: 0, head: formatPosition(at) },
      })
    }
  })

  test('below the floor a serial is refused, but 0 means from the earliest that is kept', async () => {
    const { world, read } = await open(9)
    const policy = { maxEvents: 4, maxBytes: null, maxAgeMs: null, notAfter: 9, limit: 100 }
    await world.store.trim(SESSION, policy)
    await expect(read(4)).rejects.toMatchObject({ facts: { reason: 'trimmed', floor: 5 } })
    expect(serials(await read(0))).toEqual([6, 7, 8, 9])
    expect(serials(await read(5))).toEqual([6, 7, 8, 9])
  })
})

describe('waiting', () => {
  test('ends at once with the wake-up of the next event', async () => {
    const { read, say, clock, head } = await open()
    const waiting = read(head.head, 30_000)
    await clock.advance(2500)
    await say()
    await clock.settle()
    expect(serials(await waiting)).toEqual([6])
  })

  test('does not begin where there is something to give', async () => {
    const { read } = await open()
    expect(serials(await read(2, 30_000))).toEqual([3, 4, 5])
  })

  test('misses nothing that comes in the moment in which it begins', async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const { read, say, head, clock } = await open()
      const waiting = read(head.head, 30_000)
      for (let i = 0; i < ticks; i++) await Promise.resolve()
      void say()
      await clock.settle()
      const answered = await Promise.race([waiting, Promise.resolve(null)])
      expect(answered && serials(answered), `after ${ticks} ticks`).toEqual([6])
    }
  })

  test('what happens before the subscription is heard everywhere costs half a second [S0-17]', async () => {
    const { read, say, clock, head } = await open(5, DEAF)
    const waiting = read(head.head, 30_000)
    await clock.settle()
    await say()
    const before = clock.elapsed
    expect(serials(await clock.resolve(waiting))).toEqual([6])
    expect(clock.elapsed - before).toBeLessThanOrEqual(500)
  })

  test('a lost wake-up costs 4 s at most', async () => {
    const { read, say, clock, head } = await open(5, DEAF)
    const waiting = read(head.head, 30_000)
    await clock.advance(5000)
    await say()
    const before = clock.elapsed
    expect(serials(await clock.resolve(waiting))).toEqual([6])
    expect(clock.elapsed - before).toBeLessThanOrEqual(4000)
  })

  test('ends empty when its time is over, or when the caller goes; then nothing of it is left', async () => {
    const { world, node, read, clock, head } = await open()
    node.close()
    await clock.settle()
    const timers = clock.timers
    const waiting = read(head.head, 30_000)
    await clock.advance(29_999)
    expect(clock.timers).toBeGreaterThan(timers)
    await clock.advance(1)
    expect(serials(await waiting)).toEqual([])
    expect(clock.timers).toBe(timers)

    const caller = new AbortController()
    const aborted = read(head.head, 30_000, caller.signal)
    await clock.advance(100)
    caller.abort()
    await clock.settle()
    expect(serials(await aborted)).toEqual([])
    expect(serials(await read(head.head, 30_000, caller.signal))).toEqual([])
    expect(clock.timers).toBe(timers)
    expect(world.signals.hears(SESSION)).toBe(false)
  })

  test('ends with what became of the session: removed, or another log', async () => {
    const { world, node, read, clock, head } = await open()
    const at = { epoch: head.epoch, serial: head.head, tag: head.tag }
    const waiting = read(at, 30_000)
    const gone = expect(waiting).rejects.toMatchObject({ code: 'session_not_found' })
    await clock.settle()
    await node.sessions.remove(SESSION)
    await clock.settle()
    await gone
    await world.session()
    await expect(read(at, 30_000)).rejects.toMatchObject({ facts: { reason: 'epoch' } })
  })

  test('a signal is no event and ends nothing', async () => {
    const { world, read, clock, head } = await open()
    const waiting = read(head.head, 10_000)
    await clock.settle()
    world.signals.send(SESSION, '{}')
    const early = await Promise.race([clock.advance(3000).then(() => null), waiting])
    expect(early).toBeNull()
    expect(serials(await clock.resolve(waiting))).toEqual([])
  })
})
