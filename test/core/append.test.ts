import { describe, expect, test } from 'vitest'
import type { AppendRequest } from '../../src/core/transitions/append.ts'
import type { Draft } from '../../src/core/new-event.ts'
import type { ProducerId } from '../../src/protocol/ids.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { BY, drafted, refusal, SESSION, World } from './world.ts'

type Rest = Partial<Omit<AppendRequest, 'session' | 'drafts'>>

async function open() {
  const world = new World()
  const node = world.node()
  await world.session()
  const append = (drafts: readonly Draft[], rest: Rest = {}) =>
    node.sessions.append({ session: SESSION, drafts, by: BY, ...rest })
  return { world, node, append }
}

const x = (data: unknown, id?: string): Draft => drafted('x.a', data, id)
const P = 'p' as ProducerId

async function facts(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    if (error instanceof HeldlineError) return { code: error.code, ...error.facts }
  }
  return null
}

describe('ids [P-2.5] [invariant 4]', () => {
  test('the same id with the same content changes nothing and is answered with the first serial', async () => {
    const { world, append } = await open()
    const first = await append([x(1, 'a'), x(2, 'b')])
    expect(first).toMatchObject({ serials: [2, 3], duplicates: 0 })
    const again = await append([x(1, 'a'), x(2, 'b')])
    expect(again).toMatchObject({ serials: [2, 3], duplicates: 2, committed: null })
    expect(again.epoch).toBe(first.epoch)
    expect(await world.log()).toHaveLength(3)
  })

  test('a request of which some was appended before appends only the rest, in its order', async () => {
    const { world, append } = await open()
    await append([x(1, 'a'), x(2, 'b'), x(3, 'c')])
    for (const [ids, serials] of [
      [
        ['a', 'd'],
        [2, 5],
      ],
      [
        ['e', 'b'],
        [6, 3],
      ],
      [
        ['f', 'c', 'g'],
        [7, 4, 8],
      ],
    ] as const) {
      const data: Record<string, number> = { a: 1, b: 2, c: 3 }
      const done = await append(ids.map((id) => x(data[id] ?? id, id)))
      expect(done.serials).toEqual(serials)
    }
    expect(
      (await world.log())
        .slice(1)
        .map((event) => event.id)
        .join(''),
    ).toBe('abcdefg')
  })

  test('any order of duplicates, at once and one after the other, gives each id one event', async () => {
    for (let seed = 0; seed < 100; seed++) {
      const random = new FakeRandom(seed)
      const { world, append } = await open()
      const ids = ['a', 'b', 'c', 'd', 'e']
      const requests = Array.from({ length: 8 }, () => ids.filter(() => random.chance(0.5)))
      const answers = await Promise.all(
        requests
          .filter((some) => some.length > 0)
          .map(async (some) => {
            const { serials } = await append(some.map((id) => x(id, id)))
            return some.map((id, index) => [id, serials[index]] as const)
          }),
      )
      const log = (await world.log()).slice(1)
      const serialOf = new Map(log.map((event) => [event.id, event.serial]))
      expect(serialOf.size, `seed ${seed}`).toBe(log.length)
      for (const [id, serial] of answers.flat()) expect(serial).toBe(serialOf.get(id))
    }
  })

  test('the same id with other content is a conflict that names the serial, and nothing of the request is appended', async () => {
    const { world, append } = await open()
    await append([x(1, 'a')])
    const conflict = { code: 'idempotency_conflict', serial: 2 }
    expect(await facts(append([x('other', 'a')]))).toEqual(conflict)
    expect(await facts(append([x(9), x('other', 'a')]))).toEqual(conflict)
    expect(await facts(append([drafted('x.b', 1, 'a')]))).toEqual(conflict)
    expect(await world.log()).toHaveLength(2)
  })

  test('an event without an id is new every time', async () => {
    const { append } = await open()
    await append([x(1)])
    expect((await append([x(1)])).serials).toEqual([3])
  })
})

describe('Idempotency-Key [P-2.5]', () => {
  const key = { idempotencyKey: 'k' }

  test('the same request under its key is answered with the first serials', async () => {
    const { append } = await open()
    await append([x(1), x(2)], key)
    expect(await append([x(1), x(2)], key)).toMatchObject({ serials: [2, 3], duplicates: 2 })
  })

  test.each([
    ['other data', [x(1), x(3)]],
    ['another order', [x(2), x(1)]],
    ['fewer events', [x(1)]],
    ['more events', [x(1), x(2), x(3)]],
  ])('%s under the same key is a conflict', async (_, drafts) => {
    const { world, append } = await open()
    await append([x(1), x(2)], key)
    expect(await refusal(append(drafts, key))).toBe('idempotency_conflict')
    expect(await world.log()).toHaveLength(3)
  })

  test('keys and ids do not meet', async () => {
    const { append } = await open()
    await append([x(1, 'k:0')], {})
    expect((await append([x(1)], { idempotencyKey: 'k' })).duplicates).toBe(0)
  })
})

describe('producers [P-2.6] [invariant 6]', () => {
  const as = (epoch: number, seq: number): Rest => ({ producer: { id: P, epoch, seq } })
  const some = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => x(from + index))

  test('seqs that were accepted are answered with their serials and change nothing', async () => {
    const { world, append } = await open()
    await append(some(1, 3), as(1, 1))
    expect(await append(some(1, 3), as(1, 1))).toMatchObject({ serials: [2, 3, 4], duplicates: 3 })
    expect(await append(some(2, 1), as(1, 2))).toMatchObject({ serials: [3], duplicates: 1 })
    expect(await world.log()).toHaveLength(4)
  })

  test('a request that overlaps what was accepted appends only the rest', async () => {
    const { world, append } = await open()
    await append(some(1, 3), as(1, 1))
    expect(await append(some(2, 4), as(1, 2))).toMatchObject({
      serials: [3, 4, 5, 6],
      duplicates: 2,
    })
    expect((await world.log()).slice(1).map((event) => event.data)).toEqual([1, 2, 3, 4, 5])
  })

  test('however requests overlap, at once and again, each seq has one event and every answer names it', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new FakeRandom(seed)
      const { world, append } = await open()
      const wanted: [number, number][] = []
      for (let next = 1; next < 20;) {
        const from = Math.max(1, next - random.int(0, 6))
        const count = random.int(1, 8)
        wanted.push([from, count])
        if (random.chance(0.4)) wanted.push([from, count])
        next = Math.max(next, from + count)
      }
      const answers = await Promise.all(
        wanted.map(async ([from, count]) => {
          // Who is overtaken by a later one tells it to wait: it sends the same again.
          const send = () => append(some(from, count), as(1, from))
          let sent = send()
          for (let tries = 0; tries < 50; tries++) {
            if ((await refusal(sent)) !== 'producer_gap') break
            sent = send()
          }
          const { serials } = await sent
          return serials.map((serial, index) => [from + index, serial] as const)
        }),
      )
      const log = (await world.log()).slice(1)
      expect(log.map((event) => event.data)).toEqual(log.map((_, index) => index + 1))
      for (const [seq, serial] of answers.flat()) expect(serial, `seed ${seed}`).toBe(seq + 1)
    }
  })

  test('a seq ahead is a gap that names the expected one', async () => {
    const { append } = await open()
    await append(some(1, 2), as(1, 1))
    expect(await facts(append(some(9, 1), as(1, 5)))).toEqual({ code: 'producer_gap', expected: 3 })
  })

  test('a lower epoch is fenced, a higher one takes over and may begin at any seq', async () => {
    const { append } = await open()
    await append(some(1, 2), as(3, 1))
    expect(await facts(append(some(3, 1), as(2, 3)))).toEqual({ code: 'producer_fenced', epoch: 3 })
    expect((await append(some(1, 1), as(4, 77))).serials).toEqual([4])
    expect(await refusal(append(some(3, 1), as(3, 3)))).toBe('producer_fenced')
  })

  test('a seq too old to know its serial is still a duplicate', async () => {
    const { world, append } = await open()
    for (let seq = 1; seq <= 40; seq++) await append(some(seq, 1), as(1, seq))
    expect(await append(some(1, 2), as(1, 1))).toMatchObject({ serials: [null, null] })
    expect(await world.log()).toHaveLength(41)
  })

  test('an id that came by another way before is not taken for one of the seqs', async () => {
    const { world, append } = await open()
    await append([x(1, 'a')])
    const mixed = append([x(1, 'a'), x(2, 'b')], as(1, 1))
    expect(await refusal(mixed)).toBe('idempotency_conflict')
    expect(await world.log()).toHaveLength(2)
  })
})

describe('a closed session', () => {
  test('takes no append, but still answers the retry of one that it took', async () => {
    const { node, append } = await open()
    await append([x(1, 'a')])
    await node.sessions.close({ session: SESSION, by: BY })
    expect(await refusal(append([x(2, 'b')]))).toBe('session_closed')
    expect(await append([x(1, 'a')])).toMatchObject({ serials: [2], duplicates: 1 })
    expect(await refusal(append([x(1, 'a'), x(2, 'b')]))).toBe('session_closed')
  })
})

describe('messages [P-3.6]', () => {
  const start = drafted('message.started', { message: 'm', role: 'assistant' })
  const delta = drafted('message.delta', { message: 'm', text: 'x' })
  const complete = drafted('message.completed', { message: 'm' })
  const whole = drafted('message.completed', { message: 'm', role: 'user', parts: [] })
  const replace = drafted('message.replaced', { message: 'm', parts: [] })
  const remove = drafted('message.deleted', { message: 'm' })

  test.each([
    ['message_not_found', [], delta],
    ['message_not_found', [], complete],
    ['message_not_found', [], replace],
    ['message_not_found', [], remove],
    ['message_exists', [start], start],
    ['message_exists', [start, complete], start],
    ['message_exists', [start, remove], start],
    ['message_closed', [start, complete], delta],
    ['message_closed', [start, complete], complete],
    ['message_closed', [start, complete], whole],
    ['message_closed', [whole], complete],
    ['message_closed', [start, remove], delta],
    ['message_closed', [start, remove], replace],
    ['message_closed', [start, remove], remove],
    ['message_closed', [start, remove], whole],
  ] as const)('%s: after %j', async (code, before, draft) => {
    // One by one, and as one request: what a batch makes of a message counts for the rest of it.
    for (const split of [true, false]) {
      const { world, append } = await open()
      if (split) {
        for (const one of before) await append([one])
        expect(await refusal(append([draft]))).toBe(code)
        expect(await world.log()).toHaveLength(1 + before.length)
      } else {
        expect(await refusal(append([...before, draft]))).toBe(code)
        expect(await world.log()).toHaveLength(1)
      }
    }
  })

  test.each([
    [[start, delta, delta, complete]],
    [[start, whole]],
    [[whole, replace]],
    [[start, replace, delta, complete, replace, remove]],
  ])('%j is taken', async (drafts) => {
    const { world, append } = await open()
    for (const draft of drafts) await append([draft])
    const again = await open()
    await again.append(drafts)
    expect(await world.types()).toEqual(await again.world.types())
  })

  test('what replaces an open message may go on writing it in the same request', async () => {
    const { world, append } = await open()
    await append([start, delta])
    await append([replace, delta, replace, complete])
    expect((await world.types()).slice(-4)).toEqual(
      [replace, delta, replace, complete].map(({ type }) => type),
    )
    expect(await refusal(append([replace, delta]))).toBe('message_closed')
    expect(await refusal(append([replace, complete, delta]))).toBe('message_closed')
    await append([replace])
  })

  test('two who complete one message at once: one is acknowledged, the other refused', async () => {
    const { world, append } = await open()
    await append([start])
    const outcomes = await Promise.all([refusal(append([complete])), refusal(append([complete]))])
    expect(new Set(outcomes)).toEqual(new Set([null, 'message_closed']))
    expect(await world.log()).toHaveLength(3)
  })

  test('the retry of a completion that was taken is answered, although the message is closed by now', async () => {
    const { append } = await open()
    await append([start])
    const done = drafted('message.completed', { message: 'm' }, 'done')
    await append([done])
    expect(await append([done])).toMatchObject({ serials: [3], duplicates: 1 })
  })
})
