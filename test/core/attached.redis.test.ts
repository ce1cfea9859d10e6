import { afterAll, beforeAll, expect, test } from 'vitest'
import { Attached } from '../../src/core/attached.ts'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { Presence } from '../../src/core/presence.ts'
import { create } from '../../src/core/transitions/session.ts'
import { run } from '../../src/core/commit.ts'
import { Views } from '../../src/core/views.ts'
import type { MemberId } from '../../src/protocol/ids.ts'
import { SystemClock, SystemRandom } from '../../src/system-ports.ts'
import { FakeLog } from '../support/sim-log.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { openOn } from '../support/redis-store.ts'
import { grant, NO_LIMITS, SESSION } from './world.ts'

type Node = Awaited<ReturnType<typeof nodeOn>>

let server: RedisServer
let one: Node
let two: Node

/** A node with a store of its own on the server. */
async function nodeOn(url: string) {
  const { store, signals } = await openOn(url)
  const random = new SystemRandom()
  const ports = { store, signals, clock: new SystemClock(), random, limits: DEFAULT_LIMITS }
  const presence = new Presence({ ...ports, log: new FakeLog() })
  return {
    ...ports,
    presence,
    attached: new Attached({ ...ports, views: new Views(store, DEFAULT_LIMITS) }),
    close: async () => {
      presence.close()
      await store.close()
    },
  }
}

beforeAll(async () => {
  server = await startRedis()
  one = await nodeOn(server.url)
  two = await nodeOn(server.url)
})

afterAll(async () => {
  await one?.close()
  await two?.close()
  await server?.stop()
})

test('[P-5.5] an agent at one node hears of people at another: that somebody came, and that nobody is left [S0-17] [S0-18]', async () => {
  const request = { session: SESSION, metadata: {}, settings: NO_LIMITS, by: { subject: 'ada' } }
  await run(one.store, create(request, one.random, one.clock.now()))
  const options = { kind: 'human', waitMs: 20_000 } as const
  const came = one.attached.once(SESSION, { ...options, until: 'attached' })
  await two.presence.enter(SESSION, { member: 'tab' }, grant(), 'c1')
  expect((await came).attached).toEqual({ human: 1, agent: 0, supervisor: 0 })
  const left = one.attached.once(SESSION, { ...options, until: 'empty' })
  await two.presence.leave(SESSION, 'tab' as MemberId, { subject: 'ada' }, 'c1')
  expect((await left).members).toEqual([])
})
