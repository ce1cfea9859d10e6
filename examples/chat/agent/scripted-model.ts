// A model that needs no key. It thinks, calls the tools that it is given and says what came of them, as unevenly as a real one; what it says depends
// on the conversation alone, so that another process which is asked the same says the same.
import { MockLanguageModelV4, simulateReadableStream } from 'ai/test'
import { afterTools, beforeTools, type Booking, type Turn } from './script.ts'

type Prompt = Parameters<MockLanguageModelV4['doStream']>[0]['prompt']
type Streamed = Awaited<ReturnType<MockLanguageModelV4['doStream']>>
type Chunk = Streamed['stream'] extends ReadableStream<infer Part> ? Part : never

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
}

export function scriptedModel(wordMs = 34): MockLanguageModelV4 {
  return new MockLanguageModelV4({
    modelId: 'scripted',
    doStream: ({ prompt }) => {
      const chunks = chunksOf(nextTurn(prompt))
      const stream = simulateReadableStream({
        chunks,
        initialDelayInMs: 400,
        chunkDelayInMs: wordMs,
      })
      return Promise.resolve({ stream })
    },
  })
}

/** What was said before the question is text alone; from the question on there are the tools' results, and what a person added meanwhile. */
function nextTurn(prompt: Prompt): Turn {
  const first = prompt.findIndex(({ role }) => role === 'tool')
  const asked = first === -1 ? prompt : prompt.slice(0, first)
  const question = asked.filter(isUser).map(textOf).at(-1) ?? ''
  if (first === -1) return beforeTools(question)
  const since = prompt.slice(first)
  const results = since.filter(({ role }) => role === 'tool')
  const added = since.filter(isUser).map(textOf)
  return afterTools({ question, results: results.length, booking: bookingOf(results), added })
}

const isUser = ({ role }: Prompt[number]): boolean => role === 'user'

function bookingOf(results: Prompt): Booking {
  const said = JSON.stringify(results.at(-1)?.content ?? '')
  if (said.includes('"booked":true')) return 'booked'
  return said.includes('"refused":true') ? 'refused' : 'failed'
}

function textOf({ content }: Prompt[number]): string {
  if (typeof content === 'string') return content
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
}

function chunksOf({ thoughts, text, call }: Turn): Chunk[] {
  const chunks: Chunk[] = [{ type: 'stream-start', warnings: [] }]
  if (thoughts !== undefined) {
    chunks.push({ type: 'reasoning-start', id: 'r' })
    for (const delta of words(thoughts)) chunks.push({ type: 'reasoning-delta', id: 'r', delta })
    chunks.push({ type: 'reasoning-end', id: 'r' })
  }
  if (text !== undefined) {
    chunks.push({ type: 'text-start', id: 't' })
    for (const delta of words(text)) chunks.push({ type: 'text-delta', id: 't', delta })
    chunks.push({ type: 'text-end', id: 't' })
  }
  if (call !== undefined) {
    const { id: toolCallId, tool: toolName } = call
    const input = JSON.stringify(call.input)
    chunks.push({ type: 'tool-input-start', id: toolCallId, toolName })
    for (const delta of input.match(/.{1,9}/gs) ?? []) {
      chunks.push({ type: 'tool-input-delta', id: toolCallId, delta })
    }
    chunks.push({ type: 'tool-input-end', id: toolCallId })
    chunks.push({ type: 'tool-call', toolCallId, toolName, input })
  }
  const unified = call === undefined ? 'stop' : 'tool-calls'
  chunks.push({ type: 'finish', usage, finishReason: { unified, raw: unified } })
  return chunks
}

const words = (text: string): string[] => text.match(/\s*\S+/g) ?? []
