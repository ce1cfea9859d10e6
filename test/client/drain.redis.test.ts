import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import type { TransportKind } from '../../src/client/transport/transport.ts'
import { Answer } from '../support/answer.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { startSwitchboard } from '../support/switchboard.ts'
import { pause, until } from '../support/until.ts'

const DELTAS = 4000
const CLIENTS = 4

/** Two nodes on one Redis, behind a balancer; the first is told to end while an answer streams. */
describe('a node that drains', () => {
  let redis: RedisServer
  let staying: ServerProcess
  beforeAll(async () => {
    redis = await startRedis()
    staying = await startServerProcess({ REDIS_URL: redis.url })
  })
  afterAll(async () => {
    await staying?.stop()
    await redis?.stop()
  })

  async function drainUnder(transport: TransportKind) {
    const leaving = await startServerProcess({ REDIS_URL: redis.url, DRAIN_MS: '3000' })
    onTestFinished(() => leaving.stop())
    const board = await startSwitchboard(leaving.port)
    onTestFinished(() => board.close())
    const answer = new Answer({ url: staying.url, key: API_KEY }, `drain-${transport}`, DELTAS)
    await answer.open()
    const watchers = Array.from({ length: CLIENTS }, () =>
      watch(board.port, `drain-${transport}`, transport),
    )
    await until('all are live', () => watchers.every(({ client }) => client.state === 'live'))

    let ended = false
    const streamed = stream(answer, () => ended)
    await until('the answer flows', () => watchers.every(({ serials }) => serials.length > 20))
    board.turn(staying.port)
    leaving.signal('SIGTERM')
    expect(await leaving.exit()).toEqual({ code: 0, signal: null })
    await until('all are live', () => watchers.every(({ client }) => client.state === 'live'))
    const before = watchers.map(({ serials }) => serials.length)
    await until('it flows on', () =>
      watchers.every(({ serials }, index) => serials.length > (before[index] ?? 0) + 20),
    )
    ended = true
    const head = (await streamed) + 3
    await until('all are at the end', () =>
      watchers.every(({ session }) => session.view.position.serial === head),
    )
    for (const { serials, session } of watchers) {
      const first = serials[0] ?? 0
      expect(serials).toEqual(Array.from({ length: head - first + 1 }, (_, i) => first + i))
      const told = session.messages[0]?.parts.map(({ text }) => text).join('')
      expect(told).toBe(answer.pieces.slice(0, head - 3).join(''))
    }
    expect(watchers.flatMap(({ problems }) => problems)).toEqual([])
    return watchers
  }

  test('hands its clients to another one without a break that anybody sees', async () => {
    const watchers = await drainUnder('websocket')
    for (const { states, sockets } of watchers) {
      expect(states).toEqual(['connecting', 'live'])
      // The new line is open before the old one is let go.
      expect(sockets.map(({ what }) => what)).toEqual(['open', 'open', 'close'])
    }
    // Not all at once.
    const moves = watchers.map(({ sockets }) => sockets[1]?.at ?? 0)
    expect(Math.max(...moves) - Math.min(...moves)).toBeGreaterThan(50)
  })

  test.each(['sse', 'long-poll'] as const)(
    'loses nothing of a reader over %s',
    async (transport) => {
      await drainUnder(transport)
    },
  )
})

function watch(port: number, id: string, transport: TransportKind) {
  const sockets: { readonly what: string; readonly at: number }[] = []
  class Watched extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      for (const what of ['open', 'close'])
        this.addEventListener(what, () => sockets.push({ what, at: performance.now() }))
    }
  }
  const client = createClient({
    url: `http://127.0.0.1:${port}`,
    token: API_KEY,
    transport,
    WebSocket: Watched,
  })
  onTestFinished(() => client.close())
  const session = client.session(id)
  const states: string[] = []
  const serials: number[] = []
  const problems: unknown[] = []
  client.on('state', (state) => states.push(state))
  client.on('error', (error) => problems.push(error))
  session.on('error', (error) => problems.push(error))
  session.on('reset', (reset) => problems.push(reset))
  session.on('event', ({ serial }) => serials.push(serial))
  return { client, session, sockets, states, serials, problems }
}

/** Publishes until told, or all of it. @returns how many deltas stand */
async function stream(answer: Answer, ended: () => boolean): Promise<number> {
  let count = 0
  while (count < DELTAS && !ended()) {
    await answer.delta(count++)
    await pause(2)
  }
  await answer.complete()
  return count
}
