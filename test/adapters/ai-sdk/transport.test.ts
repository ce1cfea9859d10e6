import type { UIMessage, UIMessageChunk } from 'ai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createClient, type ClientOptions } from '../../../src/client/create-client.ts'
import type { WebSocketConstructor } from '../../../src/client/transport/websocket.ts'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { Socket } from '../../react/support/socket.ts'
import { until } from '../../support/until.ts'
import { Gate, useHouse } from './house.ts'

const house = useHouse()
type Send = Parameters<SessionChatTransport['sendMessages']>[0]

const user = (id: string, text: string): UIMessage => ({
  id,
  role: 'user',
  parts: [{ type: 'text', text }],
})

const sending = (chatId: string, messages: UIMessage[], more: Partial<Send> = {}): Send => ({
  trigger: 'submit-message',
  chatId,
  messageId: undefined,
  messages,
  abortSignal: undefined,
  ...more,
})

/** A stream as it comes. */
function read(stream: ReadableStream<UIMessageChunk> | null) {
  const chunks: UIMessageChunk[] = []
  const all = { chunks, over: stream === null, error: undefined as unknown }
  const take = async (): Promise<void> => {
    for await (const chunk of stream ?? []) chunks.push(chunk)
  }
  take().then(
    () => (all.over = true),
    (error: unknown) => Object.assign(all, { error, over: true }),
  )
  return {
    all,
    has: (text: string) =>
      until(`it tells ${text}`, () => JSON.stringify(chunks).includes(text), {
        instead: () => all,
      }),
    async end() {
      await until('it is over', () => all.over, { instead: () => all })
      return chunks
    },
  }
}

/** A page whose client the test has. */
function pageWith(WebSocket: WebSocketConstructor = Socket, more: Partial<ClientOptions> = {}) {
  const storage = { local: null, tab: null }
  const token = (): Promise<string> => house.token()
  const client = createClient({ url: house.server.url, token, WebSocket, storage, ...more })
  onTestFinished(() => client.close())
  return { client, transport: new SessionChatTransport({ client }) }
}

const waiting = async (id: string): Promise<number> => {
  const { inputs } = await house.ask('GET', `/sessions/${id}/inputs`)
  return (inputs as readonly unknown[]).length
}

describe('a stop [R4] [S3-10]', () => {
  test('takes back what nobody has begun to answer, also where the chat has left its stream before', async () => {
    const id = await house.newSession()
    for (const cancelOnAbort of [true, false]) {
      const transport = house.transport({ cancelOnAbort })
      const stop = new AbortController()
      const said = [user(`u-${cancelOnAbort}`, 'Tell me')]
      await transport.sendMessages(sending(id, said, { abortSignal: stop.signal }))
      await until('it waits', async () => (await waiting(id)) === 1)
      stop.abort()
      if (!cancelOnAbort) await transport.stop(id)
      await until('nothing waits any more', async () => (await waiting(id)) === 0)
    }
  })

  test('asks nothing about what was answered long ago, however much that was', async () => {
    const id = await house.newSession()
    const asked: string[] = []
    const { transport } = pageWith(Socket, {
      fetch: (url, init) => {
        if (init.method !== 'GET') asked.push(url)
        return fetch(url, init)
      },
    })
    const answer = async (trigger: string): Promise<void> => {
      const { run, epoch } = await house.ask('POST', `/sessions/${id}/runs`, { trigger })
      await house.ask('POST', `/sessions/${id}/runs/${String(run)}/finish`, {}, Number(epoch))
    }
    // The view keeps the 50 that ended last.
    for (let n = 0; n < 52; n++) {
      const stream = await transport.sendMessages(sending(id, [user(`u${n}`, 'Tell me')]))
      await until('it is sent', () => asked.length === n + 1)
      await answer(`u${n}`)
      await read(stream).end()
    }
    asked.length = 0
    await transport.stop(id)
    expect(asked).toEqual([])
  }, 60_000)

  test('reaches a run that has lost its agent, which a resume waits for until it is over [R6]', async () => {
    const id = await house.newSession()
    const asked = { input: 'u1', mode: 'queue', parts: [{ type: 'text', text: 'Anybody?' }] }
    await house.ask('POST', `/sessions/${id}/inputs`, asked)
    await house.ask('POST', `/sessions/${id}/runs`, { run: 'r1', trigger: 'u1', leaseMs: 5000 })
    const statusOf = async () => (await house.ask('GET', `/sessions/${id}/runs/r1`))['status']
    await until('it is lost', async () => (await statusOf()) === 'lost')
    const late = house.transport({ lostMs: 0 })
    expect(await late.reconnectToStream({ chatId: id })).toBeNull()
    const transport = house.transport()
    const resumed = read(await transport.reconnectToStream({ chatId: id }))
    expect(resumed.all.over).toBe(false)
    await transport.stop(id)
    expect(await statusOf()).toBe('cancelled')
    expect(await resumed.end()).toEqual([{ type: 'abort' }])
  }, 60_000)
})

describe('who observes [S3-10]', () => {
  test('sees what comes after a first attach was refused', async () => {
    const id = `chat-late-${process.pid}`
    const { transport } = pageWith()
    let seen: readonly UIMessage[] = []
    onTestFinished(transport.observe(id, (messages) => (seen = messages)))
    await expect(transport.loadMessages(id)).rejects.toMatchObject({ code: 'session_not_found' })
    await house.ask('PUT', `/sessions/${id}`, {})
    house.agent(id, (run) => run.text('hello to you'))
    await read(await transport.sendMessages(sending(id, [user('u1', 'Hello')]))).end()
    await until('it is seen', () => seen.length === 2)
  })

  test('goes on where somebody else who used the session detaches it', async () => {
    const id = await house.newSession()
    const { client, transport } = pageWith()
    let seen: readonly UIMessage[] | null = null
    onTestFinished(transport.observe(id, (messages) => (seen = messages)))
    await until('it is observed', () => seen !== null)
    client.session(id).detach()
    house.agent(id, (run) => run.text('hello to you'))
    const asked = { mode: 'queue', parts: [{ type: 'text', text: 'Hello' }] }
    await house.ask('POST', `/sessions/${id}/inputs`, asked)
    await until('it is seen', () => seen?.length === 2)
  })
})

/** Its frames come when the test lets them. */
class LateSocket extends Socket {
  static held: (() => void)[] | null = null

  override addEventListener(...[name, run]: Parameters<Socket['addEventListener']>): void {
    super.addEventListener(name, (event) => {
      if (name === 'message' && LateSocket.held !== null) LateSocket.held.push(() => run(event))
      else run(event)
    })
  }
}

test('an answer is made anew where the server says that it will be before its events come [P-16.5]', async () => {
  const id = await house.newSession()
  let turns = 0
  house.agent(id, (run) => run.text(`answer ${++turns}`))
  const { transport } = pageWith(LateSocket)
  const said = [user('u1', 'Hello')]
  await read(await transport.sendMessages(sending(id, said))).end()
  LateSocket.held = []
  const trigger = 'regenerate-message'
  const again = read(await transport.sendMessages(sending(id, said, { trigger })))
  await until('it is answered again', () => turns === 2)
  await until('the page could be told', () => (LateSocket.held?.length ?? 0) > 0)
  const held = LateSocket.held
  LateSocket.held = null
  for (const tell of held) tell()
  await again.has('answer 2')
  await again.end()
})

test('messages that are refused leave room for those that follow', async () => {
  const id = await house.newSession()
  const transport = house.transport()
  for (let n = 0; n < 4; n++) {
    const large = [user(`large-${n}`, 'x'.repeat(400_000))]
    const refused = read(await transport.sendMessages(sending(id, large)))
    await refused.end()
    expect(refused.all.error).toMatchObject({ code: 'payload_too_large' })
  }
  house.agent(id, (run) => run.text('hello to you'))
  await read(await transport.sendMessages(sending(id, [user('u1', 'Hello')]))).has('hello to you')
})

describe('runs that go on with an answer whose tools the page has [S3-10]', () => {
  const begin = [{ type: 'start' }, { type: 'start-step' }]
  const end = [{ type: 'finish-step' }, { type: 'finish', finishReason: 'stop' }]
  const call = (toolCallId: string) => ({
    type: 'tool-input-available',
    toolCallId,
    toolName: 'look',
    input: {},
  })
  const goesOn = (toolCallId: string) => [
    { type: 'start' },
    { type: 'tool-output-available', toolCallId, output: `seen ${toolCallId}` },
    { type: 'start-step' },
  ]
  const words = (...deltas: readonly string[]) => [
    { type: 'text-start', id: '0' },
    ...deltas.map((delta) => ({ type: 'text-delta', id: '0', delta })),
  ]
  /** The messages with what the page's tool gave. */
  const withOutput = (messages: readonly UIMessage[], toolCallId: string): UIMessage[] =>
    messages.map((message) => ({
      ...message,
      parts: message.parts.map((part): UIMessage['parts'][number] => {
        if (!('toolCallId' in part) || part.toolCallId !== toolCallId) return part
        const output = `seen ${toolCallId}`
        return { type: 'tool-look', toolCallId, state: 'output-available', input: {}, output }
      }),
    }))

  test('are told each what was done since, over any number of them, and are one answer', async () => {
    const id = await house.newSession()
    const given: unknown[] = []
    house.agent(id, async (run) => {
      const inputs = (await house.events(id)).filter(({ type }) => type === 'input.received')
      const turn = given.push(inputs.at(-1)?.data['data'])
      if (turn === 1) await run.pipe([...begin, call('c1'), ...end])
      else if (turn === 2) await run.pipe([...goesOn('c1'), call('c2'), ...end])
      else await run.pipe([...goesOn('c2'), ...words('Done.'), ...end])
    })
    const transport = house.transport()
    let messages = [user('u1', 'Look')]
    for (const done of ['', 'c1', 'c2']) {
      const stream = await transport.sendMessages(sending(id, withOutput(messages, done)))
      const [start] = await read(stream).end()
      messages = await transport.loadMessages(id)
      expect(messages).toHaveLength(2)
      expect(start).toEqual({ type: 'start', messageId: messages[1]?.id })
    }
    const result = (toolCallId: string) => ({
      results: [{ toolCallId, output: `seen ${toolCallId}` }],
    })
    expect(given).toEqual([undefined, result('c1'), result('c2')])
    expect(messages[1]?.parts.at(-1)).toMatchObject({ type: 'text', text: 'Done.' })
  })

  test('are resumed in the middle as the whole answer', async () => {
    const id = await house.newSession()
    const gate = new Gate()
    let turns = 0
    async function* slowly() {
      yield* [...goesOn('c1'), ...words('Half')]
      await gate.opened
      yield { type: 'text-delta', id: '0', delta: ' done.' }
      yield* end
    }
    house.agent(id, (run) => run.pipe(++turns === 1 ? [...begin, call('c1'), ...end] : slowly()))
    const transport = house.transport()
    await read(await transport.sendMessages(sending(id, [user('u1', 'Look')]))).end()
    const messages = withOutput(await transport.loadMessages(id), 'c1')
    await read(await transport.sendMessages(sending(id, messages))).has('Half')
    const resumed = read(await house.transport().reconnectToStream({ chatId: id }))
    await resumed.has('Half')
    gate.open()
    const chunks = await resumed.end()
    expect(chunks[0]).toEqual({ type: 'start', messageId: messages[1]?.id })
    expect(chunks).toContainEqual(expect.objectContaining(call('c1')))
    expect(chunks).toContainEqual(expect.objectContaining({ delta: ' done.' }))
  })
})
