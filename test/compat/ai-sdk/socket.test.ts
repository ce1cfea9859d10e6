import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { frameOf, RawSocket } from '../../gateway/raw-socket.ts'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { until } from '../../support/until.ts'
import { ticketFor } from './faces.ts'
import { apiOf, Pace, serveSession, type Api, type Serving } from './kit.ts'

const ORIGIN = 'https://app.example.com'
let server: LocalServer
let cancelling: LocalServer
let api: Api
const serving: Serving[] = []

beforeAll(async () => {
  server = await startLocalServer({ ALLOWED_ORIGINS: ORIGIN, OUTBOX_BYTES: '262144' })
  cancelling = await startLocalServer({ AI_SDK_ABORT: 'cancel', HEARTBEAT_MS: '300' })
  api = apiOf(server.url, server.key)
})

afterEach(async () => {
  await Promise.all(serving.splice(0).map((one) => one.stop()))
})

afterAll(async () => {
  expect(server?.errors).toEqual([])
  await server?.close()
  await cancelling?.close()
})

type Headers = Readonly<Record<string, string | undefined>>

async function handshake(headers: Headers = {}, query = '', of = server): Promise<RawSocket> {
  const socket = new RawSocket({
    port: Number(new URL(of.url).port),
    path: `/compat/ai-sdk/ws${query}`,
    headers: { 'Sec-WebSocket-Protocol': undefined, ...headers },
  })
  onTestFinished(() => socket.reset())
  await socket.untilStatus()
  return socket
}

async function open(credential = server.key, of = server): Promise<RawSocket> {
  const socket = await handshake({ authorization: `Bearer ${credential}` }, '', of)
  expect(socket.status).toBe(101)
  return socket
}

async function tokenWith(capabilities: readonly string[], ttlMs = 60_000): Promise<string> {
  const wish = { subject: 'anna', sessions: ['ws-*'], capabilities, ttlMs }
  const { token } = await api.ask('POST', '/v1/tokens', wish)
  return String(token)
}

const user = (id: string) => ({ id, role: 'user', parts: [{ type: 'text', text: 'hello' }] })
const send = (requestId: string, id: string, message = 'u1') => ({
  type: 'send',
  requestId,
  id,
  trigger: 'submit-message',
  messages: [user(message)],
  headers: {},
  body: {},
})
const resume = (requestId: string, id: string) => ({
  type: 'resume',
  requestId,
  id,
  headers: {},
  body: {},
})

function of(socket: RawSocket, requestId: string) {
  return socket.frames.filter((frame) => frame['requestId'] === requestId)
}

async function serve(session: string, pace: Pace, at = server): Promise<void> {
  serving.push(await serveSession(at.url, at.key, session, (run) => pace.say(run)))
}

async function statusOf(session: string, at = server): Promise<unknown> {
  const { runs } = await apiOf(at.url, at.key).ask('GET', `/v1/sessions/${session}/runs`)
  return (runs as { status: string }[])[0]?.status
}

describe('the frames [P-18.7]', () => {
  test('number the chunks of each request from 0, several at once; a replay begins at 0 again', async () => {
    const pace = new Pace('numbered one by one ')
    await serve('ws-numbers', pace)
    const socket = await open()
    socket.send(send('a', 'ws-numbers'))
    pace.allow(2)
    await until('words are there', () =>
      of(socket, 'a').some(({ chunk }) => JSON.stringify(chunk).includes('one')),
    )
    socket.send(resume('b', 'ws-numbers'))
    await socket.untilFrame(({ type, requestId }) => type === 'chunk' && requestId === 'b')
    pace.allowAll()
    for (const request of ['a', 'b']) {
      await socket.untilFrame(({ type, requestId }) => type === 'end' && requestId === request)
      const chunks = of(socket, request).filter(({ type }) => type === 'chunk')
      expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, n) => n))
      const texts = chunks.map(({ chunk }) => (chunk as { delta?: string }).delta ?? '')
      expect(texts.join('')).toBe(pace.text)
    }
    expect(of(socket, 'b')[0]).toEqual({ type: 'start', requestId: 'b' })
    expect(of(socket, 'a').at(-1)).toEqual({ type: 'end', requestId: 'a' })
    // A request id that is over may come again.
    socket.send(resume('a', 'ws-numbers'))
    await socket.untilFrame(({ type }) => type === 'no-active')
  })

  test('tell a reader that takes nothing for a while what the answer has become meanwhile', async () => {
    const pace = new Pace(
      Array.from({ length: 60 }, (_, n) => `${n}${'.'.repeat(20_000)} `).join(''),
    )
    await serve('ws-slow', pace)
    const socket = await open()
    socket.send(send('a', 'ws-slow'))
    await until('the input is there', async () => (await statusOf('ws-slow')) !== undefined)
    socket.freeze()
    pace.allowAll()
    await until('all is said', async () => (await statusOf('ws-slow')) === 'finished')
    socket.thaw()
    await socket.untilFrame(({ type }) => type === 'end')
    const chunks = of(socket, 'a').filter(({ type }) => type === 'chunk')
    const texts = chunks.map(({ chunk }) => (chunk as { delta?: string }).delta ?? '')
    expect(texts.join('')).toBe(pace.text)
    expect(chunks.map(({ sequence }) => sequence)).toEqual(chunks.map((_, n) => n))
  })

  test('abort leaves; with the intent it cancels', async () => {
    const pace = new Pace('never to be finished')
    await serve('ws-abort', pace)
    const socket = await open()
    socket.send(send('a', 'ws-abort'))
    pace.allow(1)
    await socket.untilFrame(({ type }) => type === 'chunk')
    socket.send({ type: 'abort', requestId: 'a' })
    socket.send(resume('b', 'ws-abort'))
    await socket.untilFrame(({ requestId }) => requestId === 'b')
    pace.allow(2)
    await until('it goes on', () => JSON.stringify(of(socket, 'b')).includes('to '))
    expect(JSON.stringify(of(socket, 'a'))).not.toContain('to ')
    socket.send({ type: 'abort', requestId: 'b', intent: 'cancel' })
    await until('it is cancelled', async () => (await statusOf('ws-abort')) === 'cancelled')
    // What is not under way is aborted in peace.
    socket.send({ type: 'abort', requestId: 'nobody', intent: 'cancel' })
    socket.send(resume('c', 'ws-abort'))
    await socket.untilFrame(({ type }) => type === 'no-active')
  })

  test('abort with the intent takes back an input that has no run yet', async () => {
    await api.ask('PUT', '/v1/sessions/ws-back', {})
    const socket = await open()
    socket.send(send('a', 'ws-back'))
    socket.send({ type: 'abort', requestId: 'a', intent: 'cancel' })
    await until('it is taken back', async () => {
      const { events } = await api.ask('GET', '/v1/sessions/ws-back/events?after=0')
      return JSON.stringify(events).includes('input.expired')
    })
    const { inputs } = await api.ask('GET', '/v1/sessions/ws-back/inputs')
    expect(inputs).toEqual([])
  })

  test('abort cancels without the intent where the server is told so', async () => {
    const pace = new Pace('never to be finished')
    await serve('ws-abort', pace, cancelling)
    const socket = await open(cancelling.key, cancelling)
    socket.send(send('a', 'ws-abort'))
    pace.allow(1)
    await socket.untilFrame(({ type }) => type === 'chunk')
    socket.send({ type: 'abort', requestId: 'a', intent: 'detach' })
    socket.send(resume('b', 'ws-abort'))
    await socket.untilFrame(({ requestId }) => requestId === 'b')
    expect(await statusOf('ws-abort', cancelling)).not.toBe('cancelled')
    socket.send({ type: 'abort', requestId: 'b' })
    await until(
      'it is cancelled',
      async () => (await statusOf('ws-abort', cancelling)) === 'cancelled',
    )
  })

  test('a socket that is lost cancels nothing, also there [R4]', async () => {
    const pace = new Pace('goes on')
    await serve('ws-lost', pace, cancelling)
    const socket = await open(cancelling.key, cancelling)
    socket.send(send('a', 'ws-lost'))
    pace.allow(1)
    await socket.untilFrame(({ type }) => type === 'chunk')
    await socket.reset()
    pace.allowAll()
    await until(
      'it is finished',
      async () => (await statusOf('ws-lost', cancelling)) === 'finished',
    )
  })

  test('are kept alive by pings of the protocol', async () => {
    const socket = await open(cancelling.key, cancelling)
    await until('two pings have come', () => socket.pings >= 2)
    expect(socket.frames).toEqual([])
  })
})

describe('the handshake [P-18.1]', () => {
  test('takes a ticket, once', async () => {
    const ticket = await ticketFor(server.url, server.key)
    expect((await handshake({}, `?ticket=${ticket}`)).status).toBe(101)
    expect((await handshake({}, `?ticket=${ticket}`)).status).toBe(401)
  })

  test('takes a token as a subprotocol beside its own', async () => {
    const token = Buffer.from(await tokenWith(['send', 'subscribe'])).toString('base64url')
    const protocols = `heldline.ai-sdk.v1, heldline.auth.${token}`
    expect((await handshake({ 'Sec-WebSocket-Protocol': protocols })).status).toBe(101)
  })

  test.for([
    ['nothing to show', {}, '', 401],
    ['a token in the query', {}, '?token=abc', 401],
    ['two tickets', {}, '?ticket=a&ticket=b', 400],
    ['a ticket that nobody issued', {}, `?ticket=${'a'.repeat(43)}`, 401],
    ['a wrong key', { authorization: 'Bearer test:wrong' }, '', 401],
    ['another origin', { origin: 'https://evil.example.com' }, '', 403],
  ] as const)('is refused with %s', async ([, headers, query, status]) => {
    const socket = await handshake(headers, query)
    expect(socket.status).toBe(status)
  })

  test('lets an allowed origin in', async () => {
    const ticket = await ticketFor(server.url, server.key)
    expect((await handshake({ origin: ORIGIN }, `?ticket=${ticket}`)).status).toBe(101)
  })

  test('holds for as long as its token', async () => {
    const socket = await open(await tokenWith(['send', 'subscribe'], 1500))
    expect(await socket.untilEnd()).toBe(4401)
  })
})

describe('what is refused [P-18.8]', () => {
  const frame = send('a', 'ws-bad')
  const without = (name: string) =>
    Object.fromEntries(Object.entries(frame).filter(([key]) => key !== name))

  test.for<readonly [string, object | string]>([
    ['no JSON', 'hello'],
    ['half of an object', '{"type":"send"'],
    ['an array', '[]'],
    ['a number', '1'],
    ['null', 'null'],
    ['JSON that is too deep', `${'['.repeat(40)}${']'.repeat(40)}`],
    ['a lone surrogate', '{"type":"abort","requestId":"\\ud800"}'],
    ['an unknown type', { ...frame, type: 'subscribe' }],
    ['no type', without('type')],
    ['no request id', without('requestId')],
    ['a request id that is a number', { ...frame, requestId: 1 }],
    ['an empty request id', { ...frame, requestId: '' }],
    ['a request id that is too long', { ...frame, requestId: 'a'.repeat(129) }],
    ['no chat id', without('id')],
    ['no headers', without('headers')],
    ['a header that is a number', { ...frame, headers: { a: 1 } }],
    ['no body', without('body')],
    ['a body that is a list', { ...frame, body: [] }],
    ['no messages', without('messages')],
    ['messages that are no list', { ...frame, messages: {} }],
    ['a message without parts', { ...frame, messages: [{ id: 'u1', role: 'user' }] }],
    ['no trigger', without('trigger')],
    ['another trigger', { ...frame, trigger: 'resume-stream' }],
    ['a sequence below zero', { ...resume('a', 'ws-bad'), lastSequence: -1 }],
    ['an intent that nobody knows', { type: 'abort', requestId: 'a', intent: 'kill' }],
  ])('%s closes with 4400', async ([, content]) => {
    const socket = await open()
    socket.send(content)
    expect(await socket.untilEnd()).toBe(4400)
  })

  test('a request id that is in use closes with 4400', async () => {
    const socket = await open()
    socket.send(send('a', 'ws-twice'))
    socket.send(resume('a', 'ws-twice'))
    expect(await socket.untilEnd()).toBe(4400)
  })

  test('too many requests at once close with 4429, and so do too many frames', async () => {
    await api.ask('PUT', '/v1/sessions/ws-many', {})
    const busy = await open()
    for (let n = 0; n <= 32; n++) busy.send(send(`r${n}`, 'ws-many'))
    expect(await busy.untilEnd()).toBe(4429)
    const fast = await open()
    for (let n = 0; n < 400; n++) fast.send({ type: 'abort', requestId: `r${n}` })
    expect(await fast.untilEnd()).toBe(4429)
  })

  test('a binary frame closes with 1003, one over 4 MiB with 1009', async () => {
    const binary = await open()
    binary.write(frameOf('{}', { opcode: 2 }))
    expect(await binary.untilEnd()).toBe(1003)
    const large = await open()
    large.send(`{"x":"${'x'.repeat(4 * 1024 * 1024)}"}`)
    expect(await large.untilEnd()).toBe(1009)
  })

  test.for([
    ['a chat id that is none', { ...frame, id: 'a/b' }],
    [
      'an answer as the last message',
      { ...frame, messages: [{ ...user('a1'), role: 'assistant' }] },
    ],
    ['a message that says nothing', { ...frame, messages: [{ ...user('u1'), parts: [] }] }],
    ['to answer anew what is not there', { ...frame, trigger: 'regenerate-message' }],
    ['a session of somebody else', { ...frame, id: 'elsewhere' }],
  ] as const)('%s is an error of that request, and the socket goes on', async ([, content]) => {
    await api.ask('PUT', '/v1/sessions/ws-bad', {})
    const socket = await open(await tokenWith(['send', 'subscribe']))
    socket.send(content)
    const error = await socket.untilFrame(({ type }) => type === 'error')
    expect(error).toEqual({ type: 'error', requestId: 'a', errorText: expect.stringMatching(/\S/) })
    socket.send(resume('b', 'ws-idle'))
    await socket.untilFrame(({ type, requestId }) => type === 'no-active' && requestId === 'b')
  })

  test('whoever may only read may not send; whoever may only send may not read', async () => {
    await api.ask('PUT', '/v1/sessions/ws-rights', {})
    const reader = await open(await tokenWith(['subscribe']))
    reader.send(send('a', 'ws-rights'))
    await reader.untilFrame(({ type }) => type === 'error')
    const writer = await open(await tokenWith(['send']))
    writer.send(resume('a', 'ws-rights'))
    await writer.untilFrame(({ type }) => type === 'error')
    const { inputs } = await api.ask('GET', '/v1/sessions/ws-rights/inputs')
    expect(inputs).toEqual([])
  })
})
