import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { effectsAt } from '../core/effects-kit.ts'
import type { OpenedStore, OpenStore } from './store.ts'
import { create } from './store/kit.ts'

/** Effects on any store, through two nodes. [P-13] */
export function describeEffects(name: string, open: OpenStore): void {
  describe(`effects: ${name}`, () => {
    let opened: OpenedStore
    beforeAll(async () => {
      opened = await open()
    })
    afterAll(() => opened?.close())

    const nodes = async () => {
      const { session } = await create(opened.store)
      const [here, there] = [effectsAt(opened.store, session), effectsAt(opened.store, session)]
      await here.start()
      return { here, there }
    }

    test('[R8] of many who reserve at two nodes, one is told to do it', async () => {
      const { here, there } = await nodes()
      const all = await Promise.all(
        Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? here : there).reserve()),
      )
      expect(all.filter(({ status }) => status === 'reserved')).toHaveLength(1)
      expect(await here.told()).toEqual(['effect.reserved'])
    })

    test('[S0-22] [R9] whatever the agent’s last word was, a new process at another node never does it twice', async () => {
      // Before it reserved; after that; and after it recorded.
      for (const steps of [0, 1, 2]) {
        const { here, there } = await nodes()
        if (steps > 0) await here.reserve()
        if (steps > 1) await here.record('"ch_1"')
        await there.adopt()
        const { status } = await there.reserve({}, 2)
        expect(status).toBe(['reserved', 'unknown', 'done'][steps])
      }
    })

    test('[P-13.3] a late word and a decision at once are one of them', async () => {
      const { here, there } = await nodes()
      await here.reserve()
      await there.adopt()
      const settled = await Promise.allSettled([
        here.record('"ch_1"'),
        there.decide({ outcome: 'done', result: '"by hand"' }),
      ])
      expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await here.told()).toEqual(['effect.reserved', 'effect.unknown', 'effect.done'])
    })

    test('[P-13.3] reserving and being adopted at once leave no effect that seems to be in progress', async () => {
      for (let i = 0; i < 8; i++) {
        const { here, there } = await nodes()
        const [reserved] = await Promise.allSettled([here.reserve(), there.adopt()])
        const { status } = await there.reserve({}, 2)
        // Fenced before it could: the new process does it. Reserved first: nobody can tell.
        expect(status).toBe(reserved.status === 'fulfilled' ? 'unknown' : 'reserved')
      }
    })
  })
}
