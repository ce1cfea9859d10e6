import { once } from 'node:events'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { streamText, type TextStreamPart, type ToolSet } from 'ai'

/** Real answers as providers streamed them, one chunk a line. The project does not carry them. */
const FOLDER =
  process.env['HELDLINE_RECORDINGS'] ?? join(import.meta.dirname, '../../../shared/recordings')

export function recordings(): string[] {
  if (!existsSync(FOLDER)) return []
  return readdirSync(FOLDER).filter((name) => name.endsWith('.chunks.jsonl'))
}

export interface Provider {
  readonly url: string
  close(): Promise<void>
}

/** Answers every request as the provider answered the recorded one. */
export async function serveRecording(name: string): Promise<Provider> {
  const lines = readFileSync(join(FOLDER, name), 'utf8').trim().split('\n')
  const chat =
    !name.startsWith('anthropic') && !('type' in (JSON.parse(lines[0] ?? '{}') as object))
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const line of lines) response.write(`data: ${line}\n\n`)
    response.end(chat ? 'data: [DONE]\n\n' : '')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export type StreamPart = TextStreamPart<ToolSet>

/** What an agent in production reads: the recorded answer through the provider's own package and `streamText`. */
export function readThroughProvider(name: string, baseURL: string): AsyncIterable<StreamPart> {
  const model = modelOf(name, baseURL)
  const result = streamText({
    model,
    prompt: 'as recorded',
    maxRetries: 0,
    onError: () => undefined,
  })
  return result.fullStream
}

function modelOf(name: string, baseURL: string) {
  const apiKey = 'not-a-key'
  if (name.startsWith('anthropic'))
    return createAnthropic({ baseURL, apiKey })('claude-sonnet-4-20250514')
  if (name.startsWith('deepseek')) {
    return createOpenAICompatible({ name: 'deepseek', baseURL, apiKey }).chatModel(
      'deepseek-reasoner',
    )
  }
  const openai = createOpenAI({ baseURL, apiKey })
  return name.startsWith('openai-text')
    ? openai.chat('gpt-4.1-nano')
    : openai.responses('gpt-5-mini')
}
