// The ceiling of sessions at rest: a stream with the same entries, and no other key.
import type { Redis } from 'ioredis'

/** @param entries the texts of one session's events, as they are stored */
export async function bareKeys(
  redis: Redis,
  sessions: number,
  entries: readonly string[],
): Promise<void> {
  const AT_ONCE = 200
  for (let start = 0; start < sessions; start += AT_ONCE) {
    const pipeline = redis.pipeline()
    for (let i = start; i < Math.min(sessions, start + AT_ONCE); i++) {
      for (const [serial, text] of entries.entries()) {
        pipeline.xadd(`hl:{b${i % 1024}}:l:idle${i}`, `${serial + 1}-0`, 'e', text)
      }
    }
    await pipeline.exec()
  }
}
