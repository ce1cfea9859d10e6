import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  AbstractChat,
  DefaultChatTransport,
  uiMessageChunkSchema,
  type UIMessage,
} from '../../../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/index.mjs'
import type { Run } from '../../../src/agent/index.ts'
import { chunkFor } from '../../../src/compat/ai-sdk/version.ts'
import { startLocalServer, type LocalServer } from '../../support/local-server.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { until } from '../../support/until.ts'
import { apiOf, serveSession, State, type Serving } from './kit.ts'

let server: LocalServer
let proxy: TcpProxy
let sessions = 0
const serving: Serving[] = []

beforeAll(async () => {
  server = await startLocalServer()
  proxy = await startProxy(Number(new URL(server.url).port))
})
afterEach(async () => {
  await Promise.all(serving.splice(0).map((one) => one.stop()))
})
afterAll(async () => {
  await proxy?.close()
  await server?.close()
  expect(server.errors).toEqual([])
})

class Chat extends AbstractChat<UIMessage> {
  readonly errors: Error[] = []

  constructor(id: string) {
    const errors: Error[] = []
    const api = `http://127.0.0.1:${proxy.port}/compat/ai-sdk/chat?version=6`
    const headers = { authorization: `Bearer ${server.key}` }
    super({
      id,
      state: new State<UIMessage>([]),
      transport: new DefaultChatTransport({ api, headers }),
      onError: (error) => errors.push(error),
    })
    this.errors = errors
  }

  get text(): string {
    const { parts = [] } = this.messages.at(-1) ?? {}
    return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
  }
}

describe('the unmodified DefaultChatTransport of AI SDK 6 [P-18.9]', { timeout: 60_000 }, () => {
  const open = async (act: (run: Run) => unknown): Promise<{ id: string; chat: Chat }> => {
    const id = `six-${++sessions}`
    serving.push(await serveSession(server.url, server.key, id, act))
    return { id, chat: new Chat(id) }
  }
  /** Words that come when the test lets them, after what 6 has no word for. */
  const slowly = () => {
    const state = { words: 0 }
    async function* chunks() {
      yield* [{ type: 'start' }, { type: 'start-step' }]
      yield { type: 'reasoning-file', url: 'https://example.org/a.png', mediaType: 'image/png' }
      yield { type: 'custom', kind: 'a.b' }
      const call = { toolCallId: 'c1', toolName: 'look' }
      yield { type: 'tool-input-available', ...call, input: {} }
      yield { type: 'tool-approval-request', approvalId: 'a1', toolCallId: 'c1' }
      yield { type: 'tool-approval-response', approvalId: 'a1', approved: true }
      yield { type: 'tool-output-available', toolCallId: 'c1', output: 'seen' }
      yield { type: 'steering-message', id: 's1', parts: [{ type: 'text', text: 'on' }] }
      yield* [{ type: 'finish-step' }, { type: 'start-step' }, { type: 'text-start', id: '0' }]
      for (const [index, word] of ['one ', 'two ', 'three'].entries()) {
        await until('it may go on', () => state.words > index)
        yield { type: 'text-delta', id: '0', delta: word }
      }
      yield* [{ type: 'text-end', id: '0' }, { type: 'finish-step' }, { type: 'finish' }]
    }
    return { state, chunks }
  }

  test('has the answer whole and once after a cut, without what it has no word for [R3]', async () => {
    const { state, chunks } = slowly()
    const { chat } = await open((run) => run.pipe(chunks()))
    const sent = chat.sendMessage({ text: 'Look' })
    state.words = 2
    await until('two words', () => chat.text === 'one two ', {
      instead: () => [chat.messages, chat.errors.map(String)],
    })
    proxy.cut()
    await sent
    const resumed = chat.resumeStream()
    state.words = 3
    await resumed
    expect({ status: chat.status, text: chat.text }).toEqual({
      status: 'ready',
      text: 'one two three',
    })
    expect(chat.messages).toHaveLength(2)
    expect(chat.messages[1]?.parts).toMatchObject([
      { type: 'step-start' },
      { type: 'tool-look', state: 'output-available', output: 'seen' },
      { type: 'step-start' },
      { type: 'text', text: 'one two three' },
    ])
    expect(chat.errors.map(String)).toHaveLength(1)
    await chat.resumeStream()
    expect(chat.status).toBe('ready')
  })

  test('is ready after a stop', async () => {
    const { state, chunks } = slowly()
    const { id, chat } = await open((run) => run.pipe(chunks()))
    const sent = chat.sendMessage({ text: 'Look' })
    state.words = 1
    await until('a word', () => chat.text === 'one ')
    await apiOf(server.url, server.key).ask('POST', `/compat/ai-sdk/chat/${id}/stop`)
    await sent
    expect({ status: chat.status, errors: chat.errors }).toEqual({ status: 'ready', errors: [] })
    state.words = 3
  })

  test('sees a step that was tried again as what it became', async () => {
    const state = { go: false, end: false }
    const { chat } = await open(async (run) => {
      async function* chunks() {
        yield* [{ type: 'start' }, { type: 'start-step' }, { type: 'text-start', id: '0' }]
        yield { type: 'text-delta', id: '0', delta: 'wrong' }
        await until('it was seen', () => state.go)
        yield* [{ type: 'reset-step' }, { type: 'text-start', id: '1' }]
        yield { type: 'text-delta', id: '1', delta: 'right' }
        await until('it may end', () => state.end)
        yield* [{ type: 'text-end', id: '1' }, { type: 'finish-step' }, { type: 'finish' }]
      }
      await run.pipe(chunks())
    })
    const sent = chat.sendMessage({ text: 'Say' })
    await until('it is told', () => chat.text === 'wrong')
    state.go = true
    // What was told cannot be taken back there: it is cut off, and resumes.
    await sent
    expect(chat.status).toBe('error')
    const resumed = chat.resumeStream()
    await until('it is told anew', () => chat.text === 'right')
    state.end = true
    await resumed
    expect({ status: chat.status, text: chat.text }).toEqual({ status: 'ready', text: 'right' })
    expect(chat.messages).toHaveLength(2)
  })
})

test('chunks of 6 are those that its schema takes [P-18.9]', async () => {
  const interrupted = { type: 'finish', finishReason: 'interrupted' }
  const chunk = chunkFor(6, interrupted)
  expect(chunk).toEqual({ type: 'finish', finishReason: 'other' })
  expect(await uiMessageChunkSchema().validate?.(chunk)).toMatchObject({ success: true })
  expect(await uiMessageChunkSchema().validate?.(interrupted)).toMatchObject({ success: false })
  expect(chunkFor(7, interrupted)).toBe(interrupted)
})
