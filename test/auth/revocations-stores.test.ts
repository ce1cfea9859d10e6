import { expect, onTestFinished, test } from 'vitest'
import { KEPT_MS } from '../../src/auth/revoked-tokens.ts'
import { TokenRevocations } from '../../src/auth/revocations.ts'
import { internalSession } from '../../src/core/internal-session.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import { openMemory, openSqlite } from '../contract/stores.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { silent } from './kit.ts'
import { describeRevocations, tokenOf } from './revocations-contract.ts'

describeRevocations('memory', openMemory)
describeRevocations('SQLite', openSqlite)

test('[P-6.8] what no token could be good for is dropped from the store, by the next revocation and by a deadline', async () => {
  const clock = new FakeClock()
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, () => clock.now())
  onTestFinished(() => store.close())
  const ports = { store, signals, clock, random: new SystemRandom(), log: silent }
  const list = new TokenRevocations(ports)
  onTestFinished(() => list.close())
  await list.open()
  const kept = async (): Promise<number> => {
    const [head] = await store.heads([internalSession('~revocations')])
    return head === null || head === undefined ? 0 : head.head - head.floor
  }
  await list.revoke('key:main', { jti: 'one' })
  await clock.advance(KEPT_MS / 2)
  await list.revoke('key:main', { jti: 'two' })
  await clock.settle()
  expect([list.size, await kept()]).toEqual([2, 2])
  await clock.advance(KEPT_MS / 2 + 1000)
  expect(list.size).toBe(1)
  await list.revoke('key:main', { jti: 'three' })
  await clock.settle()
  expect(await kept()).toBe(2)
  for (let hours = 0; hours < 50; hours++) {
    await clock.advance(3_600_000)
    for (const due of await store.due(10)) {
      expect(due.deadline).toBe('revocation')
      await list.expire(due)
    }
  }
  expect([list.size, await kept()]).toEqual([0, 0])
  expect(list.has(tokenOf('three'))).toBe(false)
  expect(await store.due(10)).toEqual([])
})

test('[P-6.8] a node lets nobody in before it has read: it does not start where it cannot', async () => {
  const clock = new FakeClock()
  const signals = new LocalSignals()
  const store = new MemoryStore(signals, () => clock.now())
  store.read = async () => {
    throw new Error('the store is away')
  }
  const ports = { store, signals, clock, random: new SystemRandom(), log: silent }
  const list = new TokenRevocations(ports)
  await expect(list.open()).rejects.toThrow('away')
  list.close()
  expect(clock.timers).toBe(0)
})
