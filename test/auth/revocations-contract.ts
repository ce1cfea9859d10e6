import { describe, expect, it, onTestFinished } from 'vitest'
import { TokenRevocations } from '../../src/auth/revocations.ts'
import type { Grant } from '../../src/core/access.ts'
import { internalSession } from '../../src/core/internal-session.ts'
import type { Signals } from '../../src/core/signals.ts'
import { SystemRandom } from '../../src/system-ports.ts'
import type { OpenedStore, OpenStore } from '../contract/store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'
import { personGrant, silent } from './kit.ts'

/** Hears nothing of others: every wake-up is lost. */
const deaf = (signals: Signals): Signals => ({
  subscribe: () => ({ close: () => undefined }),
  send: (session, payload) => signals.send(session, payload),
  onRestored: (listener) => signals.onRestored(listener),
})

export const tokenOf = (jti: string | null, subject = 'ada', issuedAt = Date.now()): Grant => ({
  ...personGrant,
  subject,
  expiresAt: Date.now() + 3_600_000,
  token: { jti, issuedAt: Math.floor(issuedAt / 1000) * 1000 },
})

/** One node's list. Its clock stands still: what it knows of others, it was told. */
export async function nodeOn(
  opened: OpenedStore,
  change: { signals?: Signals; maxKept?: number } = {},
) {
  const clock = new FakeClock()
  const ports = { ...opened, clock, random: new SystemRandom(), log: silent, ...change }
  const list = new TokenRevocations(ports)
  onTestFinished(() => list.close())
  await list.open()
  return { list, clock }
}

/** What revocations need of a store, on any of them: that all nodes come to know, also those that hear nothing, and those that start later. [P-6.8] */
export function describeRevocations(name: string, open: OpenStore): void {
  describe(`[P-6.8] revocations: ${name} (I18)`, () => {
    async function start(): Promise<OpenedStore> {
      const opened = await open()
      onTestFinished(() => opened.close())
      return opened
    }

    it('hold on their own node at once, and are told to the others, whose clocks stand still', async () => {
      const opened = await start()
      const [here, there] = [await nodeOn(opened), await nodeOn(opened)]
      let told = 0
      there.list.onRevoked(() => told++)
      const { keptUntil } = await here.list.revoke('key:main', { jti: 'leaked' })
      expect(keptUntil).toBeGreaterThan(Date.now() + 23 * 3_600_000)
      expect(here.list.has(tokenOf('leaked'))).toBe(true)
      expect(here.list.has(tokenOf('another'))).toBe(false)
      await until('the other node knows', () => there.list.has(tokenOf('leaked')))
      expect(told).toBe(1)
      expect(there.list.has(tokenOf('another'))).toBe(false)
      const { issuedUntil = 0 } = await there.list.revoke('key:main', { subject: 'ada' })
      await until('the first node knows', () =>
        here.list.has(tokenOf('another', 'ada', issuedUntil)),
      )
      expect(here.list.has(tokenOf('another', 'ada', issuedUntil + 1000))).toBe(false)
      expect(here.list.has(tokenOf('another', 'ben'))).toBe(false)
    })

    it('are read within 30 s by a node whose wake-ups are lost', async () => {
      const opened = await start()
      const here = await nodeOn(opened)
      const there = await nodeOn(opened, { signals: deaf(opened.signals) })
      for (const jti of ['one', 'two']) {
        await here.list.revoke('key:main', { jti })
        await there.clock.settle()
        expect(there.list.has(tokenOf(jti))).toBe(false)
        await there.clock.advance(30_000)
        await until('it has read', () => there.list.has(tokenOf(jti)))
      }
    })

    it('are known to a node that starts later, and to one that starts again', async () => {
      let opened = await start()
      const here = await nodeOn(opened)
      await here.list.revoke('key:main', { jti: 'old' })
      await here.list.revoke('key:main', { subject: 'ben' })
      expect((await nodeOn(opened)).list.has(tokenOf('old'))).toBe(true)
      here.list.close()
      if (opened.reopen === undefined) return
      opened = await opened.reopen()
      onTestFinished(() => opened.close())
      const later = await nodeOn(opened)
      expect(later.list.has(tokenOf('old'))).toBe(true)
      expect(later.list.has(tokenOf(null, 'ben', Date.now() - 5000))).toBe(true)
    })

    it('that many nodes make at once are all known to all, over more than a page', async () => {
      const opened = await start()
      const nodes = [await nodeOn(opened), await nodeOn(opened), await nodeOn(opened)]
      const ids = Array.from({ length: 600 }, (_, n) => `jti-${n}`)
      const shares = nodes.map(({ list }, at) =>
        ids.filter((_, n) => n % 3 === at).map((jti) => list.revoke('key:main', { jti })),
      )
      await Promise.all(shares.flat())
      const late = await nodeOn(opened)
      expect(late.list.size).toBe(600)
      for (const { list } of nodes) await until('all are known', () => list.size === 600)
    })

    it('are read anew where the store has lost them, and what is known stays', async () => {
      const opened = await start()
      const [here, there] = [await nodeOn(opened), await nodeOn(opened)]
      await here.list.revoke('key:main', { jti: 'before' })
      await until('both know', () => there.list.has(tokenOf('before')))
      await opened.store.remove(internalSession('~revocations'))
      await here.list.revoke('key:main', { jti: 'after' })
      await until('the other knows', () => there.list.has(tokenOf('after')))
      expect(there.list.has(tokenOf('before'))).toBe(true)
    })

    it('have a bound', async () => {
      const opened = await start()
      const { list } = await nodeOn(opened, { maxKept: 2 })
      await list.revoke('key:main', { jti: 'one' })
      await list.revoke('key:main', { jti: 'two' })
      await expect(list.revoke('key:main', { jti: 'three' })).rejects.toMatchObject({
        code: 'rate_limited',
      })
    })
  })
}
