// @vitest-environment jsdom
import type { ChatTransport, UIMessage } from 'ai'
import { test } from 'vitest'
import * as z from 'zod'
import {
  createUIMessageStreamResponse,
  DefaultChatTransport,
  stepCountIs,
  streamText,
  tool,
  type UIMessageChunk,
} from '../../../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/index.mjs'
import {
  MockLanguageModelV3,
  simulateReadableStream,
} from '../../../node_modules/@ai-sdk/react-v6/node_modules/ai/dist/test/index.mjs'
import { streamOf } from '../../support/recorded.ts'
import { useHouse } from './house.ts'
import { HOOKS } from './page.tsx'
import { expectSameAnswer, shownDirectly } from './same-answer.ts'

const house = useHouse()
const [, [, version, useChat]] = HOOKS

const WORDS = Array.from({ length: 40 }, (_, n) => `word-${n} 👀 `)

type Streamed = Awaited<ReturnType<MockLanguageModelV3['doStream']>>
type Part = Streamed['stream'] extends ReadableStream<infer Each> ? Each : never

/** Thinks, calls a tool whose input it writes bit by bit, and says what it found, with a source. */
function modelOf() {
  const tokens = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }
  const usage = { inputTokens: tokens, outputTokens: { total: 1, text: 1, reasoning: 0 } }
  const steps: Part[][] = [
    [
      { type: 'reasoning-start', id: 'r' },
      ...WORDS.map((delta) => ({ type: 'reasoning-delta' as const, id: 'r', delta })),
      { type: 'reasoning-end', id: 'r' },
      { type: 'tool-input-start', id: 'c1', toolName: 'look' },
      { type: 'tool-input-delta', id: 'c1', delta: '{"at":' },
      { type: 'tool-input-delta', id: 'c1', delta: '"sea"}' },
      { type: 'tool-input-end', id: 'c1' },
      { type: 'tool-call', toolCallId: 'c1', toolName: 'look', input: '{"at":"sea"}' },
      { type: 'finish', usage, finishReason: { unified: 'tool-calls', raw: 'tool' } },
    ],
    [
      { type: 'source', sourceType: 'url', id: 's1', url: 'https://example.org/', title: 'Sea' },
      { type: 'text-start', id: 't' },
      ...WORDS.map((delta) => ({ type: 'text-delta' as const, id: 't', delta })),
      { type: 'text-end', id: 't' },
      { type: 'finish', usage, finishReason: { unified: 'stop', raw: 'stop' } },
    ],
  ]
  return new MockLanguageModelV3({
    doStream: async () => ({ stream: simulateReadableStream({ chunks: steps.shift() ?? [] }) }),
  })
}

test('what an agent on AI SDK 6 streams is, in a page on AI SDK 6, the same message as in one without a session, over three cut sockets, and after a reload [S3-10] [R3]', async () => {
  const look = tool({
    inputSchema: z.object({ at: z.string() }),
    execute: async ({ at }) => ({ at, colour: 'blue' }),
  })
  const result = streamText({
    model: modelOf(),
    prompt: 'as asked',
    tools: { look },
    stopWhen: stepCountIs(5),
  })
  const chunks: UIMessageChunk[] = []
  const stream = result.toUIMessageStream({
    sendReasoning: true,
    sendSources: true,
    messageMetadata: ({ part }) => (part.type === 'start' ? { model: 'mock' } : undefined),
  })
  for await (const chunk of stream) chunks.push(chunk)
  const backend = new DefaultChatTransport({
    fetch: async () => createUIMessageStreamResponse({ stream: streamOf(allOf(chunks)) }),
  })
  // Transports of both versions are alike to a hook, but for the names of their types.
  const expected = await shownDirectly(useChat, backend as unknown as ChatTransport<UIMessage>)
  await expectSameAnswer(house, { version, useChat }, chunks, expected)
}, 60_000)

async function* allOf<T>(some: readonly T[]): AsyncGenerator<T> {
  yield* some
}
