import { afterEach, expect, test, vi } from 'vitest'
import { parseEpoch, parseEventId, parseTag } from '../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../src/system-ports.ts'

afterEach(() => vi.useRealTimers())

test('every random value has the form of its kind and none comes twice', () => {
  const random = new SystemRandom()
  const seen = new Set<string>()
  for (let i = 0; i < 5000; i++) {
    const [tag, epoch, id] = [random.tag(), random.epoch(), random.id()]
    expect(parseTag(tag)).toBe(tag)
    expect(parseEpoch(epoch)).toBe(epoch)
    expect(parseEventId(id)).toBe(id)
    expect(id).toMatch(/^[A-Za-z][A-Za-z0-9_-]{15}$/)
    const fraction = random.fraction()
    expect(fraction >= 0 && fraction < 1).toBe(true)
    seen.add(tag).add(epoch).add(id)
  }
  expect(seen.size).toBe(15_000)
})

test('what is deferred runs once, in order, after what is due in this turn', async () => {
  const clock = new SystemClock()
  const order: string[] = []
  clock.defer(() => {
    order.push('first')
    clock.defer(() => order.push('deferred by the first'))
  })
  clock.defer(() => order.push('second'))
  queueMicrotask(() => order.push('due in this turn'))
  await vi.waitUntil(() => order.length === 4)
  expect(order).toEqual(['due in this turn', 'first', 'second', 'deferred by the first'])
})

test('a deferred task that throws is uncaught, and the others still run', async () => {
  vi.useFakeTimers({ toFake: ['setImmediate', 'queueMicrotask'] })
  const clock = new SystemClock()
  const ran = vi.fn()
  clock.defer(() => {
    throw new Error('a bug')
  })
  clock.defer(ran)
  expect(() => vi.runAllTimers()).toThrow('a bug')
  expect(ran).toHaveBeenCalledOnce()
})

test('a timer runs once after its delay, and not when it is cancelled', () => {
  vi.useFakeTimers()
  const clock = new SystemClock()
  const [ran, cancelled] = [vi.fn(), vi.fn()]
  clock.after(1000, ran)
  const timer = clock.after(1000, cancelled)
  timer.cancel()
  timer.cancel()
  vi.advanceTimersByTime(999)
  expect(ran).not.toHaveBeenCalled()
  vi.advanceTimersByTime(10_000)
  expect(ran).toHaveBeenCalledOnce()
  expect(cancelled).not.toHaveBeenCalled()
})

test('a delay beyond the longest timeout of the platform is kept', () => {
  vi.useFakeTimers()
  const ran = vi.fn()
  const days = 24 * 60 * 60 * 1000
  new SystemClock().after(60 * days, ran)
  vi.advanceTimersByTime(60 * days - 1)
  expect(ran).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(ran).toHaveBeenCalledOnce()
})
