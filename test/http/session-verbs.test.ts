import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startHttp, type HttpServer } from './http-server.ts'
import { SseClient } from './sse-client.ts'

let server: HttpServer
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp()
})
beforeEach(async () => {
  path = `/v1/sessions/s-verbs-${++made}`
  await server.ask('PUT', path)
})
afterAll(() => server?.close())

describe('[P-9.8] what a socket says in a frame, over HTTP', () => {
  test('a signal reaches who is attached, with the bytes that came, and leaves no serial', async () => {
    const reader = await SseClient.open(server, `${path}/events`)
    onTestFinished(() => reader.close())
    await reader.until(({ event }) => event === 'snapshot')
    const raw = '{"name":"typing","data":{"n":1.0, "n":2}}'
    const headers = { 'content-type': 'application/json' }
    const sent = await server.ask('POST', `${path}/signals`, { raw, headers })
    expect([sent.status, sent.text]).toEqual([202, ''])
    await reader.until(({ event }) => event === 'signal')
    expect(reader.text).toContain('"data":{"n":1.0, "n":2}')
    expect(reader.text).toContain('"by":{"subject":"key:agent"}')
    expect((await server.ask('GET', `${path}/events?after=1`)).json.events).toEqual([])
  })

  test('a signal to a session that is not there is refused, and so is one that is too large', async () => {
    const body = { name: 'typing' }
    expect((await server.ask('POST', '/v1/sessions/nobody/signals', { body })).status).toBe(404)
    const large = { name: 'typing', data: 'x'.repeat(9000) }
    expect((await server.ask('POST', `${path}/signals`, { body: large })).json.code).toBe(
      'payload_too_large',
    )
  })

  test('how far a subject has read never falls, is kept a subject, and stops at the head', async () => {
    for (let n = 0; n < 3; n++)
      await server.ask('POST', `${path}/events`, { body: { type: 'x.n', data: n } })
    const ada = await server.token({ subject: 'ada' })
    const read = async (serial: unknown, credential: string): Promise<unknown> =>
      (await server.ask('POST', `${path}/read`, { body: { serial }, credential })).json
    expect(await read(3, ada)).toEqual({ serial: 3 })
    expect(await read(2, ada)).toEqual({ serial: 3 })
    expect(await read(2, await server.token({ subject: 'ben' }))).toEqual({ serial: 2 })
    expect(await read(99, ada)).toEqual({ serial: 4 })
    expect(await read(-1, ada)).toMatchObject({ code: 'invalid_request' })
  })

  test('the folded messages come with the rest of the view [P-9.6]', async () => {
    await server.ask('PATCH', path, { body: { metadata: { topic: 'boats' } } })
    await server.ask('POST', `${path}/close`, { body: {} })
    const { rest } = (await server.ask('GET', `${path}/messages`)).json
    expect(rest).toMatchObject({ tip: null, members: [], metadata: { topic: 'boats' } })
    expect(rest.closedAt).toBeGreaterThanOrEqual(rest.createdAt)
  })
})
