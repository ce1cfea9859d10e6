import { expect, test } from 'vitest'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

test('a node stands still and goes on: clients have moved, and what it does late is done once', async () => {
  const stage = new Stage()
  const redis = await stage.redis()
  const env = { REDIS_URL: redis.url, HEARTBEAT_MS: '1000', PRESENCE_TTL_MS: '3000' }
  const [first, second] = await Promise.all([stage.node(env), stage.node(env)])
  const position = await stage.open()
  const everything = { position, catchup: 'events', silentMs: 3000 } as const
  const clients = [0, 1, 0, 1].map((node, i) => stage.client(`reader${i}`, everything, node))
  // Whoever gets no answer asks the other node, with the same ids, while the first may still do what it was asked.
  const impatient = { answerWithinMs: 1500 } as const
  const agents = [
    stage.agent('writer', impatient),
    stage.agent('other', impatient),
    stage.agent('producer', { ...impatient, by: 'producer' }),
  ]
  const work = Promise.all(agents.map((agent) => agent.run()))
  work.catch(() => undefined)
  const acknowledged = (): number => agents.reduce((sum, agent) => sum + agent.acknowledged, 0)
  for (const node of [first, second, first, second]) {
    const before = acknowledged()
    await until('the stream flows', () => acknowledged() > before + 50)
    stage.nemesis('SIGSTOP')
    node.signal('SIGSTOP')
    await until('everybody has moved', () =>
      clients.every((client) => client.attached && client.node !== node.url),
    )
    const meanwhile = acknowledged()
    await until('the stream goes on', () => acknowledged() > meanwhile + 50)
    node.signal('SIGCONT')
    stage.nemesis('SIGCONT')
  }
  for (const agent of agents) agent.stop()
  await work
  const { counts } = await stage.judge()
  expect(counts.unknown).toBeGreaterThanOrEqual(4)
  expect(counts.attaches).toBeGreaterThanOrEqual(clients.length * 2)
  expect(counts.resets).toBe(0)
}, 120_000)
