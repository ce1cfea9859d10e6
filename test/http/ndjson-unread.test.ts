import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { DEFAULT_LIMITS } from '../../src/core/limits.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'
import { startHttp } from './http-server.ts'
import { RawHttp, rawRequest } from './raw-http.ts'

const PATH = '/v1/sessions/one/events'
const { slowConsumerMs } = DEFAULT_LIMITS
const LINE = '{"type":"x.n"}\n'
const CHUNK = `${LINE.length.toString(16)}\r\n${LINE}\r\n`

/** A body of lines whose sender reads nothing: on the server's side its socket is full from the first byte. */
async function start() {
  const clock = new FakeClock()
  const server = await startHttp({ ports: { clock }, httpLimits: { streams: 1 } })
  onTestFinished(() => server.close())
  await server.ask('PUT', '/v1/sessions/one', { body: {} })
  const full = new Promise<Socket>((resolve) => {
    server.app.server.once('connection', (socket: Socket) => {
      socket.write = () => false
      resolve(socket)
    })
  })
  const headers = { 'Content-Type': 'application/x-ndjson', 'Transfer-Encoding': 'chunked' }
  const raw = new RawHttp(server.port, rawRequest(`POST ${PATH}`, headers))
  onTestFinished(() => raw.close())
  const socket = await full
  /** Sends a line, and waits until the server waits for its acknowledgement to be taken. */
  const send = async (): Promise<void> => {
    const before = clock.timers
    raw.write(CHUNK)
    await until('the acknowledgement waits', () => clock.timers > before)
  }
  const another = () =>
    server.ask('POST', PATH, { raw: LINE, headers: { 'content-type': 'application/x-ndjson' } })
  return { clock, server, raw, socket, send, another }
}

test('[P-9.3] who sends lines and takes nothing of the acknowledgements is cut off, and makes room', async () => {
  const { clock, server, raw, send, another } = await start()
  await send()
  await clock.advance(slowConsumerMs - 1)
  expect((await another()).json.code).toBe('connection_limit')
  expect(raw.ended).toBe(false)
  await clock.advance(1)
  await raw.untilEnd()
  await until('there is room again', async () => (await another()).status === 200)
  expect(server.logged).toContainEqual({
    level: 'info',
    event: 'http.stream_cut',
    fields: expect.objectContaining({ reason: expect.stringContaining('acknowledgements') }),
  })
})

test('[P-9.3] who takes them late, but takes them, goes on', async () => {
  const { clock, raw, socket, send } = await start()
  for (let n = 0; n < 12; n++) {
    await send()
    await clock.advance(slowConsumerMs - 1)
    const before = clock.timers
    socket.emit('drain')
    await until('it is waited for no more', () => clock.timers < before)
  }
  expect(raw.ended).toBe(false)
  await send()
  await clock.advance(slowConsumerMs)
  await raw.untilEnd()
})
