import { afterEach, expect, test, vi } from 'vitest'
import { atEndOfTurn } from '../../src/gateway/end-of-turn.ts'

afterEach(() => vi.useRealTimers())

test('what waits for the end of the turn runs once, in order, before anything else that waits', async () => {
  const order: string[] = []
  const done = Promise.withResolvers<void>()
  setImmediate(() => {
    order.push('an event')
    done.resolve()
  })
  atEndOfTurn(() => {
    order.push('first')
    atEndOfTurn(() => order.push('asked for by the first'))
  })
  atEndOfTurn(() => order.push('second'))
  order.push('this turn')
  await done.promise
  expect(order).toEqual(['this turn', 'first', 'second', 'asked for by the first', 'an event'])
})

test('a task that throws is uncaught, and the others still run', async () => {
  vi.useFakeTimers({ toFake: ['queueMicrotask'] })
  const ran = vi.fn()
  atEndOfTurn(() => {
    throw new Error('a bug')
  })
  atEndOfTurn(ran)
  await new Promise(setImmediate)
  expect(ran).toHaveBeenCalledOnce()
  expect(() => vi.runAllTimers()).toThrow('a bug')
})
