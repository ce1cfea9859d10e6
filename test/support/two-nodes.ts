import { afterAll, beforeAll, expect } from 'vitest'
import { startLocalServer, type LocalServer } from './local-server.ts'
import { startRedis, type RedisServer } from './redis-server.ts'

/** Of one Redis: what is said to one is so on the other. */
export interface TwoNodes {
  readonly here: LocalServer
  readonly there: LocalServer
}

/** For the tests of a file, in whose course no node may log an error. */
export function useTwoNodes(): TwoNodes {
  let redis: RedisServer
  let here: LocalServer
  let there: LocalServer
  beforeAll(async () => {
    redis = await startRedis()
    here = await startLocalServer({ REDIS_URL: redis.url })
    there = await startLocalServer({ REDIS_URL: redis.url })
  })
  afterAll(async () => {
    await here?.close()
    await there?.close()
    await redis?.stop()
    expect([...(here?.errors ?? []), ...(there?.errors ?? [])]).toEqual([])
  })
  return {
    get here() {
      return here
    },
    get there() {
      return there
    },
  }
}
