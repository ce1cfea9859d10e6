import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { until } from '../support/until.ts'
import { startHttp, type Ask } from './http-server.ts'

const SSE = { accept: 'text/event-stream' }

/** A server with room for one stream, whose store answers nothing while it is held. */
async function openHeld() {
  let held: { readonly over: Promise<void>; readonly release: () => void; asked: number } | null =
    null
  const wait = async (): Promise<void> => {
    if (held === null) return
    held.asked++
    await held.over
  }
  const sockets: Socket[] = []
  const server = await startHttp({
    httpLimits: { streams: 1 },
    limits: { verifyMs: 50 },
    around: (store: Store) => {
      const commit = store.commit.bind(store)
      const heads = store.heads.bind(store)
      store.commit = (request) => wait().then(() => commit(request))
      store.heads = (sessions) => wait().then(() => heads(sessions))
      return store
    },
  })
  onTestFinished(() => server.close())
  server.app.server.on('connection', (socket) => sockets.push(socket))
  await server.ask('PUT', '/v1/sessions/s1')
  const hold = (): NonNullable<typeof held> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const release = (): void => {
      held = null
      resolve()
    }
    held = { over: promise, release, asked: 0 }
    return held
  }
  /** Asks, and goes away before the store has answered. */
  const leave = async (method: string, path: string, ask: Ask): Promise<void> => {
    const stop = new AbortController()
    const store = hold()
    const asked = server.fetch(method, path, { ...ask, signal: stop.signal })
    await until('the store is asked', () => store.asked > 0)
    stop.abort()
    await expect(asked).rejects.toThrow()
    await until('the server has heard of it', () => sockets.at(-1)?.destroyed === true)
    store.release()
  }
  /** What a stream that nobody reads would be in the way of. */
  const roomAgain = () =>
    until('there is room again', async () => {
      const stop = new AbortController()
      const path = '/v1/sessions/s1/events?after=0'
      const { status } = await server.fetch('GET', path, { headers: SSE, signal: stop.signal })
      stop.abort()
      return status === 200
    })
  return { server, leave, roomAgain }
}

test('who sends through the AI SDK and leaves before the answer begins leaves nothing behind [P-18.4]', async () => {
  const { server, leave, roomAgain } = await openHeld()
  const message = { id: 'u1', role: 'user', parts: [{ type: 'text', text: 'hello' }] }
  await leave('POST', '/compat/ai-sdk/chat', { body: { id: 's1', messages: [message] } })
  await until('it was sent all the same', async () => {
    const { json } = await server.ask('GET', '/v1/sessions/s1/inputs')
    return json.inputs.length === 1
  })
  await roomAgain()
  await until('nobody listens', () => !server.watched('s1'))
  expect(server.errors()).toEqual([])
})

test('who asks for events from a serial on and leaves before they come leaves nothing behind [P-9.5]', async () => {
  const { server, leave, roomAgain } = await openHeld()
  await leave('GET', '/v1/sessions/s1/events?after=1', { headers: SSE })
  await roomAgain()
  await until('nobody listens', () => !server.watched('s1'))
  expect(server.errors()).toEqual([])
})
