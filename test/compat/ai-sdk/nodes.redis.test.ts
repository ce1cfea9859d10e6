import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { startRedis, type RedisServer } from '../../support/redis-server.ts'
import { until } from '../../support/until.ts'
import { FACES } from './faces.ts'
import { Chat, Pace, serveSession } from './kit.ts'

describe.each(FACES)('$name over two nodes', (face) => {
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
  })

  test(
    'follows on one what an agent says on the other, and goes on there when its own goes down [P-18.4] [R14]',
    { timeout: 60_000 },
    async () => {
      const pace = new Pace('said over there, heard over here, and the other way round. ')
      const serving = await serveSession(there.url, there.key, 'across', (run) => pace.say(run))
      const chat = new Chat('across', face.transport(here.url, here.key))
      const observer = new Chat('across', face.transport(there.url, there.key))
      const sent = chat.sendMessage({ text: 'go' })
      pace.allow(4)
      await until('the words are here', () => chat.text === pace.upTo(4))
      const observed = observer.resumeStream()
      await here.drain()
      await sent
      expect(chat.status).toBe('error')
      const moved = new Chat('across', face.transport(there.url, there.key), chat.messages)
      const resumed = moved.resumeStream()
      await until('it follows there', () => moved.status === 'streaming')
      pace.allowAll()
      await Promise.all([resumed, observed])
      expect(moved.lines).toEqual(['user: go', `assistant: ${pace.text}`])
      expect(observer.text).toBe(pace.text)
      await serving.stop()
    },
  )
})
