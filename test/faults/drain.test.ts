import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { API_KEY } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { Stage } from './stage.ts'

const DRAIN_MS = 4000

test('a node that is told to end moves its clients to the other one; nothing is lost, and it ends in time (S0-08)', async () => {
  const stage = new Stage()
  const redis = await stage.redis()
  const env = { REDIS_URL: redis.url, DRAIN_MS: `${DRAIN_MS}` }
  const leaving = await stage.node(env)
  const staying = await stage.node(env)
  const position = await stage.open()
  const everything = { position, catchup: 'events' } as const
  const clients = ['ann', 'ben', 'cem', 'dora', 'eve'].map((name) =>
    stage.client(name, everything, 0),
  )
  const agents = [stage.agent('writer'), stage.agent('producer', { by: 'producer' })]
  const work = Promise.all(agents.map((agent) => agent.run()))
  work.catch(() => undefined)
  const acknowledged = (): number => agents.reduce((sum, agent) => sum + agent.acknowledged, 0)
  await until('the stream flows', () => acknowledged() > 50 && clients.every((c) => c.serial > 50))

  stage.nemesis('SIGTERM')
  const startedAt = performance.now()
  leaving.signal('SIGTERM')
  const exit = await leaving.exit()
  const tookMs = performance.now() - startedAt
  expect(exit).toEqual({ code: 0, signal: null })
  // Its own watchdog ends it with 1 five seconds after DRAIN_MS.
  expect(tookMs).toBeLessThan(DRAIN_MS + 5000)

  const before = acknowledged()
  await until('the stream goes on', () => acknowledged() > before + 50)
  for (const agent of agents) agent.stop()
  await work
  stage.nodes.splice(0, 1)
  const verdict = await stage.judge()
  expect(verdict.counts.resets).toBe(0)
  expect(stage.history.of('goaway')).toHaveLength(clients.length)
  expect(clients.map(({ node }) => node)).toEqual(clients.map(() => staying.url))
  // Each has opened the new line before it let go of the old one.
  expect(stage.history.of('close')).toEqual([])
}, 90_000)

test('an append that is under way when the node ends is answered before it does', async () => {
  const stage = new Stage()
  const redis = await stage.redis()
  const proxy = await stage.proxy(redis.port)
  const node = await stage.node({ REDIS_URL: `redis://127.0.0.1:${proxy.port}`, DRAIN_MS: '200' })
  await stage.open()
  const append = (key: string): Promise<Response> =>
    fetch(`${node.url}/v1/sessions/${stage.session}/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'x.note', id: key, data: { key } }),
    })
  expect((await append('one')).status).toBe(200)
  await redis.kill('SIGSTOP')
  const asked = proxy.seen('request', (chunk) => chunk.includes('"key":"two"'))
  const underWay = append('two')
  underWay.catch(() => undefined)
  await asked
  node.signal('SIGTERM')
  await until('the node takes no more connections', async () => !(await listens(node.port)))
  await redis.kill('SIGCONT')
  const { status, headers } = await underWay
  expect(status).toBe(200)
  // Nobody is to send another request on a line that ends.
  expect(headers.get('connection')).toBe('close')
  expect(await node.exit()).toEqual({ code: 0, signal: null })
  const reader = await stage.node({ REDIS_URL: redis.url })
  const log = await stage.readLog(reader.url)
  expect(log.map(({ id }) => id)).toEqual([null, 'one', 'two'])
}, 90_000)

test('a node alone ends while its clients wait for it, and finds them again when it is back', async () => {
  const stage = new Stage()
  const node = await stage.node({ DRAIN_MS: '500' })
  const position = await stage.open()
  const client = stage.client('ann', { position, catchup: 'events' })
  const writer = stage.agent('writer')
  await writer.publish(3)
  await stage.quiet()
  stage.nemesis('SIGTERM')
  expect(await node.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  await node.restart()
  await writer.publish(3)
  await stage.judge()
  expect(client.resets).toEqual([])
}, 90_000)

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
