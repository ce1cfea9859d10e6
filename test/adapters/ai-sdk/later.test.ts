import { expect, onTestFinished, test, vi } from 'vitest'
import { Later } from '../../../src/adapters/ai-sdk/later.ts'

/** Code whose fetching fails so many times. */
function failing(times: number): { later: Later<string>; fetched: () => number } {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  let fetched = 0
  const later = new Later(async () => {
    fetched += 1
    if (fetched <= times) throw new TypeError('Failed to fetch')
    return Promise.resolve('code')
  })
  return { later, fetched: () => fetched }
}

test('code that does not come at first is fetched again, once for all who wait for it', async () => {
  const { later, fetched } = failing(2)
  const both = Promise.all([later.get(), later.get()])
  expect(later.code).toBeNull()
  await vi.runAllTimersAsync()
  expect(await both).toEqual(['code', 'code'])
  expect(later.code).toBe('code')
  expect(fetched()).toBe(3)
})

test('code that does not come is an error after a few tries, and whoever asks later has it', async () => {
  const { later } = failing(5)
  const refused = expect(later.get()).rejects.toThrow('Failed to fetch')
  await vi.runAllTimersAsync()
  await refused
  expect(later.code).toBeNull()
  expect(await later.get()).toBe('code')
})
