import type { Message } from '../protocol/fold/message.ts'
import { textOf } from './agent.ts'
import type { Step } from './script.ts'

/** A real model, where the environment has a key for one. */
export interface Model {
  readonly name: string
  answer(request: ModelRequest): Promise<void>
}

export interface ModelRequest {
  /** From the first to the question. */
  readonly messages: readonly Message[]
  /** A process before this one began this answer and died: a model cannot go on in the middle. */
  readonly begun: boolean
  readonly signal: AbortSignal
  append(index: number, step: Omit<Step, 'afterMs'>): Promise<void>
}

/** Any server that speaks chat completions: OPENAI_API_KEY, and OPENAI_BASE_URL and OPENAI_MODEL where they differ. */
export function modelFromEnvironment(env: NodeJS.ProcessEnv): Model | null {
  const key = env['OPENAI_API_KEY']
  if (key === undefined || key === '') return null
  const url = env['OPENAI_BASE_URL'] ?? 'https://api.openai.com/v1'
  const model = env['OPENAI_MODEL'] ?? 'gpt-4o-mini'
  return { name: model, answer: (request) => answer(request, { key, url, model }) }
}

const FLUSH_MS = 25
/** Indexes of an answer that is begun anew must not be those of the first try. */
const SECOND_TRY = 1_000_000

async function answer(
  request: ModelRequest,
  place: { readonly key: string; readonly url: string; readonly model: string },
): Promise<void> {
  const base = request.begun ? SECOND_TRY : 0
  let index = base
  const append = (type: Step['type'], data: Step['data']): Promise<void> =>
    request.append(index++, { type, data })
  if (!request.begun) await append('message.started', { metadata: { agent: place.model } })
  else
    await append('message.delta', {
      add: { type: 'notice', text: 'The agent was restarted, and answers again.' },
    })
  const part = `answer-${base}`
  try {
    for await (const text of batched(stream(request, place)))
      await append('message.delta', { part, text })
    await append('message.completed', { status: 'completed' })
  } catch (error) {
    if (request.signal.aborted) return
    await append('message.completed', {
      status: 'failed',
      metadata: { error: error instanceof Error ? error.message : 'failed' },
    })
  }
}

/** Joins what comes within a few milliseconds: one append for it instead of many. */
async function* batched(source: AsyncIterable<string>): AsyncGenerator<string> {
  let text = ''
  let since = Date.now()
  for await (const piece of source) {
    text += piece
    if (Date.now() - since < FLUSH_MS) continue
    yield text
    text = ''
    since = Date.now()
  }
  if (text !== '') yield text
}

async function* stream(
  request: ModelRequest,
  place: { readonly key: string; readonly url: string; readonly model: string },
): AsyncGenerator<string> {
  const messages = request.messages.map((message) => ({
    role: message.role,
    content: textOf(message),
  }))
  const response = await fetch(`${place.url}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${place.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: place.model, messages, stream: true }),
    signal: request.signal,
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
