import type { Message } from '../protocol/fold/message.ts'
import { textOf } from './transcript.ts'

/** A real model, where the environment has a key for one. */
export interface Model {
  readonly name: string
  /** @param messages from the first to the prompt @returns its text, in pieces */
  answer(messages: readonly Message[], signal: AbortSignal): AsyncIterable<string>
}

interface Place {
  readonly key: string
  readonly url: string
  readonly model: string
}

/** Any server that speaks chat completions: OPENAI_API_KEY, and OPENAI_BASE_URL and OPENAI_MODEL where they differ. */
export function modelFromEnvironment(env: NodeJS.ProcessEnv): Model | null {
  const key = env['OPENAI_API_KEY']
  if (key === undefined || key === '') return null
  const url = env['OPENAI_BASE_URL'] ?? 'https://api.openai.com/v1'
  const model = env['OPENAI_MODEL'] ?? 'gpt-4o-mini'
  const place = { key, url, model }
  return { name: model, answer: (messages, signal) => answer(messages, signal, place) }
}

async function* answer(
  path: readonly Message[],
  signal: AbortSignal,
  place: Place,
): AsyncGenerator<string> {
  const messages = path.map((message) => ({ role: message.role, content: textOf(message) }))
  const response = await fetch(`${place.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${place.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: place.model, messages, stream: true }),
    signal,
  })
  if (!response.ok || response.body === null)
    throw new Error(`the model answered ${response.status}`)
  let buffer = ''
  for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (buffer + bytes).split('\n')
    buffer = lines.pop() ?? ''
    for (const line of lines) {
      const text = deltaOf(line)
      if (text !== null) yield text
    }
  }
}

function deltaOf(line: string): string | null {
  if (!line.startsWith('data:') || line.includes('[DONE]')) return null
  const chunk = JSON.parse(line.slice(5)) as { choices?: { delta?: { content?: string } }[] }
  return chunk.choices?.[0]?.delta?.content ?? null
}
