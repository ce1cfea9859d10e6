import { describe, expect, test } from 'vitest'
import type { Frame } from '../../src/core/frame.ts'
import { Outbox } from '../../src/core/outbox.ts'
import { PublishQueue } from '../../src/core/publish-queue.ts'
import { Rate } from '../../src/core/rate.ts'
import { Tail } from '../../src/core/tail.ts'
import type { StoredEvent } from '../../src/core/store.ts'
import type { Epoch, Tag } from '../../src/protocol/ids.ts'
import { encodeEvent } from '../../src/protocol/codec.ts'
import { genesis } from '../../src/protocol/position.ts'
import { drafted } from './world.ts'

describe('a rate', () => {
  test('gives a burst, then so many a second, and says when the next one will be there', () => {
    const rate = new Rate(10, 20, 0)
    const taken = Array.from({ length: 25 }, () => rate.take(0))
    expect(taken.filter((wait) => wait === 0)).toHaveLength(20)
    let now = 0
    let passed = 0
    while (now < 10_000) {
      const wait = rate.take(now)
      if (wait === 0) passed++
      // What is refused costs as much as what is taken: it pays to wait.
      now += wait === 0 ? 100 : wait
    }
    expect(passed).toBeGreaterThan(90)
    expect(passed).toBeLessThanOrEqual(100)
  })

  test('who heeds the wait is never abused, who goes on all the same is', () => {
    const rate = new Rate(10, 20, 0)
    for (let i = 0; i < 119; i++) rate.take(0)
    expect(rate.abused).toBe(false)
    for (let i = 0; i < 5; i++) rate.take(0)
    expect(rate.abused).toBe(true)
  })

  test('a clock that goes back gives nothing and takes nothing', () => {
    const rate = new Rate(10, 1, 1_000_000)
    expect(rate.take(1_000_000)).toBe(0)
    expect(rate.take(0)).toBeGreaterThan(0)
    expect(rate.take(1000)).toBe(0)
  })
})

describe('an outbox', () => {
  const frame: Frame = { text: '', type: 'pong', reaches: null }
  const limits = { outboxBytes: 1000, outboxHardBytes: 3000, slowConsumerMs: 30_000 }

  function open() {
    const transport = {
      bufferedBytes: 0,
      sent: 0,
      code: 0,
      send: () => void transport.sent++,
      close: (code: number) => void (transport.code = code),
    }
    return { transport, outbox: new Outbox(transport, limits, 0) }
  }

  test('pauses events when full, and takes them again when half of it is gone', () => {
    const { transport, outbox } = open()
    const at = (bytes: number) => {
      transport.bufferedBytes = bytes
      return outbox.ready()
    }
    expect([at(999), at(1000), at(700), at(500), at(499), at(999)]).toEqual([
      true,
      false,
      false,
      false,
      true,
      true,
    ])
  })

  test('still sends answers, up to the hard bound, and closes with 4508 there', () => {
    const { transport, outbox } = open()
    transport.bufferedBytes = 3000
    outbox.send(frame)
    expect(transport).toMatchObject({ sent: 1, code: 0 })
    transport.bufferedBytes = 3001
    outbox.send(frame)
    outbox.send(frame)
    expect(transport).toMatchObject({ sent: 1, code: 4508 })
    expect(outbox.ready()).toBe(false)
  })

  test('one frame may be larger than the hard bound: answers go out after it up to that bound, and no further', () => {
    const { transport, outbox } = open()
    transport.send = () => void (transport.bufferedBytes += transport.sent++ === 0 ? 50_000 : 1)
    outbox.send(frame)
    expect(outbox.ready()).toBe(false)
    for (let i = 0; i < 3; i++) outbox.send(frame)
    expect(transport).toMatchObject({ sent: 4, code: 0 })
    transport.bufferedBytes = 53_001
    outbox.send(frame)
    expect(transport).toMatchObject({ sent: 4, code: 4508 })
  })

  test('a large frame that is through leaves no more room than there was', () => {
    const { transport, outbox } = open()
    transport.send = () => void (transport.bufferedBytes += transport.sent++ === 0 ? 50_000 : 1)
    outbox.send(frame)
    transport.bufferedBytes = 0
    outbox.send(frame)
    transport.bufferedBytes = 3001
    outbox.send(frame)
    expect(transport).toMatchObject({ sent: 2, code: 4508 })
  })

  test('a client that takes a little now and then is slow, not gone', () => {
    const { transport, outbox } = open()
    transport.bufferedBytes = 2000
    for (let now = 0; now < 300_000; now += 10_000) {
      transport.bufferedBytes -= 100
      outbox.send(frame)
      transport.bufferedBytes += 100
      outbox.check(now)
    }
    expect(transport.code).toBe(0)
    for (let now = 300_000; now <= 340_000; now += 10_000) outbox.check(now)
    expect(transport.code).toBe(4508)
  })
})

describe('a tail', () => {
  const EPOCH = 'epoch-0001' as Epoch
  const tag = (serial: number) => (serial === 0 ? '--------' : `tag${serial}`) as Tag
  const event = (serial: number): StoredEvent => ({
    serial,
    tag: tag(serial),
    prev: tag(serial - 1),
    at: 0,
    text: 'x'.repeat(10),
  })
  const at = (serial: number) => ({ epoch: EPOCH, serial, tag: tag(serial) })

  test('takes only what follows, and keeps no more than its bytes', () => {
    const tail = new Tail(genesis(EPOCH), () => 100)
    for (let serial = 1; serial <= 5000; serial++)
      expect(tail.take(EPOCH, [event(serial)])).toBe('taken')
    expect(tail.take(EPOCH, [event(5000)])).toBe('nothing')
    expect(tail.take(EPOCH, [event(5002)])).toBe('gap')
    expect(tail.take(EPOCH, [{ ...event(5001), prev: tag(1) }])).toBe('gap')
    expect(tail.take('epoch-0002' as Epoch, [event(5001)])).toBe('gap')
    expect(tail.head).toEqual(at(5000))
    expect(tail.bytes).toBeLessThanOrEqual(100)
    expect(tail.after(at(4990), 100, 1e9)?.map((one) => one.serial)).toEqual(
      Array.from({ length: 10 }, (_, i) => 4991 + i),
    )
    expect(tail.after(at(4989), 100, 1e9)).toBeNull()
  })

  test('gives to who comes later what it gave at once, letter by letter, and no part of what is no text', () => {
    const texts = ['plain', 'ünï', '日本語', '🧵🪡', 'x'.repeat(50_000), '🧵'.repeat(9000)]
    const tail = new Tail(genesis(EPOCH), () => 1e6)
    const events = texts.map((data, i) => {
      const { text: _, ...head } = { ...event(i + 1), tag: `tag0000${i + 1}` as Tag }
      const linked = { ...head, prev: i === 0 ? tag(0) : (`tag0000${i}` as Tag) }
      return { ...linked, text: encodeEvent(linked, `"data":${JSON.stringify(data)}}`) }
    })
    expect(tail.take(EPOCH, events)).toBe('taken')
    expect(tail.after(genesis(EPOCH), 100, 1e9)).toEqual(events)
    tail.rest()
    expect(tail.after(genesis(EPOCH), 100, 1e9)).toEqual(events)
    const [last] = events.slice(-1)
    if (last === undefined) throw new Error('there are events')
    const half = { ...event(events.length + 1), prev: last.tag, text: '\ud83e'.repeat(40_000) }
    expect(tail.take(EPOCH, [half])).toBe('taken')
    expect(tail.after({ epoch: EPOCH, serial: last.serial, tag: last.tag }, 100, 1e9)).toBeNull()
  })

  test('gives nothing to who stands elsewhere, and pages to who is far behind', () => {
    const tail = new Tail(genesis(EPOCH), () => 1e9)
    tail.take(
      EPOCH,
      Array.from({ length: 20 }, (_, i) => event(i + 1)),
    )
    expect(tail.after({ ...at(5), tag: tag(4) }, 100, 1e9)).toBeNull()
    expect(tail.after({ ...at(5), epoch: 'epoch-0002' as Epoch }, 100, 1e9)).toBeNull()
    expect(tail.after(at(20), 100, 1e9)).toBeNull()
    expect(tail.after(at(5), 3, 1e9)?.map((one) => one.serial)).toEqual([6, 7, 8])
    expect(tail.after(at(5), 100, 25)?.map((one) => one.serial)).toEqual([6, 7])
    expect(tail.after(at(5), 100, 1)?.map((one) => one.serial)).toEqual([6])
  })
})

describe('the order of publishes', () => {
  const x = [drafted('x.a')]
  const repeating = [drafted('message.deleted', { message: 'm' })]

  test('those that are decided once go one behind the other without waiting; one that may be decided again goes alone', async () => {
    const queue = new PublishQueue()
    const begun: string[] = []
    const ends = new Map<string, () => void>()
    const publish = (name: string) => () => {
      begun.push(name)
      return new Promise<void>((resolve) => ends.set(name, resolve))
    }
    const all = [
      queue.run(x, publish('a')),
      queue.run(x, publish('b')),
      queue.run(repeating, publish('c')),
      queue.run(x, publish('d')),
    ]
    const settle = () => new Promise((resolve) => setImmediate(resolve))
    await settle()
    expect(begun).toEqual(['a', 'b'])
    ends.get('b')?.()
    await settle()
    expect(begun).toEqual(['a', 'b'])
    ends.get('a')?.()
    await settle()
    expect(begun).toEqual(['a', 'b', 'c'])
    ends.get('c')?.()
    await settle()
    expect(begun).toEqual(['a', 'b', 'c', 'd'])
    ends.get('d')?.()
    await Promise.all(all)
  })

  test('one that fails holds up nobody', async () => {
    const queue = new PublishQueue()
    const failed = queue.run(repeating, () => Promise.reject(new Error('no')))
    const next = queue.run(x, () => Promise.resolve('yes'))
    await expect(failed).rejects.toThrow('no')
    expect(await next).toBe('yes')
  })
})
