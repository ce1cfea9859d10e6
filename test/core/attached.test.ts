import { describe, expect, test } from 'vitest'
import { Attached, type AttachedOptions } from '../../src/core/attached.ts'
import type { FakeSocket } from '../support/sim-socket.ts'
import { grant, SESSION, World } from './world.ts'

const MINUTE = 60_000
/** How late the sweeper may look: a second, and a fifth of it. */
const SWEEP = 1300

/** Somebody who asks who is there, and people with sockets. */
async function opened() {
  const world = new World()
  const { clock } = world
  const node = world.node()
  await world.session()
  const attached = new Attached(node.ports)
  return {
    clock,
    /** The person's page, visible or not. */
    enter: async (member: string, visible = true): Promise<FakeSocket> => {
      const socket = node.connect(grant({ subject: member.replace('-phone', '') }))
      socket.ask({ op: 'attach', session: SESSION, presence: { member, visible } })
      await clock.settle()
      return socket
    },
    /** A wait, and when it was answered. */
    wait: (until: AttachedOptions['until']) => {
      const waited = { people: -1, atMs: -1 }
      const from = clock.now()
      const options = { until, kind: 'human', waitMs: 10 * MINUTE } as const
      const answered = async (): Promise<void> => {
        const { human } = (await attached.once(SESSION, options)).attached
        Object.assign(waited, { people: human, atMs: clock.now() - from })
      }
      void answered()
      return waited
    },
  }
}

describe('[P-5.5] an agent that decides by who is there', () => {
  test('hears within a second that somebody came, looking or not [S0-17]', async () => {
    const { clock, enter, wait } = await opened()
    const waited = wait('attached')
    await clock.advance(MINUTE)
    expect(waited.people).toBe(-1)
    await enter('ada', false)
    await clock.advance(1000)
    expect(waited.people).toBe(1)
    expect(waited.atMs).toBeLessThanOrEqual(MINUTE + 1000)
  })

  test('hears that nobody is left when the grace of the last socket is over, and at once where that was closed [S0-17] [S0-18]', async () => {
    const { clock, enter, wait } = await opened()
    const [ada, ben] = [await enter('ada'), await enter('ben')]
    const waited = wait('empty')
    ben.ask({ op: 'detach', session: SESSION })
    await clock.advance(MINUTE)
    ada.drop()
    await clock.advance(14_900)
    expect(waited.people).toBe(-1)
    await clock.advance(100 + SWEEP)
    expect(waited.people).toBe(0)
    const again = await enter('ada')
    const next = wait('empty')
    again.ask({ op: 'detach', session: SESSION })
    await clock.settle()
    expect(next).toEqual({ people: 0, atMs: 0 })
  })

  test('hears nothing of a reload, or of a second device that goes [S4-19] [S0-17]', async () => {
    const { clock, enter, wait } = await opened()
    const page = await enter('ada')
    const waited = wait('empty')
    page.drop()
    await clock.advance(10_000)
    await enter('ada')
    const phone = await enter('ada-phone')
    phone.drop()
    await clock.advance(3 * MINUTE)
    expect(waited.people).toBe(-1)
  })
})
