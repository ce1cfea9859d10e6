// A model that needs no key: it calls the tool it is given, then says what came of it.
import { MockLanguageModelV4, simulateReadableStream } from 'ai/test'

type Streamed = Awaited<ReturnType<MockLanguageModelV4['doStream']>>
type Chunk = Streamed['stream'] extends ReadableStream<infer Part> ? Part : never

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
}

export function scriptedModel(delayMs = 20): MockLanguageModelV4 {
  return new MockLanguageModelV4({
    doStream: ({ prompt }) => {
      const called = prompt.at(-1)?.role === 'tool'
      const chunks = called ? said() : call()
      return Promise.resolve({
        stream: simulateReadableStream({ chunks, chunkDelayInMs: delayMs }),
      })
    },
  })
}

function call(): Chunk[] {
  return [
    { type: 'stream-start', warnings: [] },
    { type: 'reasoning-start', id: 'r' },
    { type: 'reasoning-delta', id: 'r', delta: 'I should look at the clock.' },
    { type: 'reasoning-end', id: 'r' },
    { type: 'tool-call', toolCallId: 'call-1', toolName: 'clock', input: '{}' },
    { type: 'finish', usage, finishReason: { unified: 'tool-calls', raw: 'tool_calls' } },
  ]
}

function said(): Chunk[] {
  const words = 'I have looked at the clock, and it is time for tea.'.split(/(?<= )/)
  return [
    { type: 'stream-start', warnings: [] },
    { type: 'text-start', id: 't' },
    ...words.map((delta): Chunk => ({ type: 'text-delta', id: 't', delta })),
    { type: 'text-end', id: 't' },
    { type: 'finish', usage, finishReason: { unified: 'stop', raw: 'stop' } },
  ]
}
