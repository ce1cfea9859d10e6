import { expect, test } from 'vitest'
import { disconnected } from '../../src/agent/agent-error.ts'
import { insist } from '../../src/agent/insist.ts'
import { FakeClock } from '../support/fake-clock.ts'

/** Nobody answers, and it is tried again for two minutes: what became of it, and of the clock on the way. */
async function outage(disturb: (clock: FakeClock) => void, answerAfterMs = Infinity) {
  const clock = new FakeClock()
  let disturbed = false
  const attempt = async (): Promise<string> => {
    await clock.sleep(1000)
    if (!disturbed && clock.elapsed > 10_000) {
      disturbed = true
      disturb(clock)
    }
    if (clock.elapsed > answerAfterMs) return 'answered'
    throw disconnected()
  }
  const patience = { clock, random: () => 0.5, retryForMs: 120_000 }
  const result = await clock.resolve(
    insist(patience, attempt).catch(() => 'given up'),
    7_200_000,
  )
  return { result, seconds: Math.round(clock.elapsed / 10_000) * 10 }
}

test('what nobody answers is given up after the time that was given to it', async () => {
  expect(await outage(() => undefined)).toEqual({ result: 'given up', seconds: 120 })
})

test('a clock that is set forward on the way, as after a machine that slept, ends no patience', async () => {
  const forward = (clock: FakeClock): void => clock.set(3_600_000)
  expect(await outage(forward, 60_000)).toMatchObject({ result: 'answered' })
  const { result, seconds } = await outage(forward)
  expect(result).toBe('given up')
  expect(seconds).toBeLessThanOrEqual(120)
})

test('one that is set back makes none that lasts until it has come there again', async () => {
  const { result, seconds } = await outage((clock) => clock.set(-3_600_000))
  expect({ result, seconds }).toEqual({ result: 'given up', seconds: 120 })
})
