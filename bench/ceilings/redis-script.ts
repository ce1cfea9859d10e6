// The ceiling of appends to Redis: one script for a batch, that does nothing but XADD each and PUBLISH once.
import { Redis } from 'ioredis'

const SCRIPT = `#!lua
local head = redis.call('INCRBY', KEYS[2], #ARGV)
for i = 1, #ARGV do redis.call('XADD', KEYS[1], (head - #ARGV + i) .. '-0', 'e', ARGV[i]) end
redis.call('PUBLISH', KEYS[3], head)
return head`

export interface ScriptParams {
  readonly url: string
  readonly batch: number
  readonly inFlight: number
  readonly bytesPerEvent: number
  readonly windowMs: number
}

/** @returns events a second */
export async function redisScript(params: ScriptParams): Promise<number> {
  const { url, batch, inFlight, bytesPerEvent, windowMs } = params
  const redis = new Redis(url)
  const events = Array.from({ length: batch }, () => 'x'.repeat(bytesPerEvent))
  const sha = String(await redis.script('LOAD', SCRIPT))
  const keys = ['{c}log', '{c}head', '{c}wake']
  await redis.del(...keys)
  let done = 0
  const until = performance.now() + windowMs
  const work = async (): Promise<void> => {
    while (performance.now() < until) {
      await redis.evalsha(sha, 3, ...keys, ...events)
      done += batch
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: inFlight }, work))
  const seconds = (performance.now() - start) / 1000
  await redis.del(...keys)
  redis.disconnect()
  return done / seconds
}
