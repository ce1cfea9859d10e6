// A provider of models as its API is on the wire: chat completions and responses, streamed as server-sent events.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What it says to one request: words, or that a tool is to be called. */
export type Turn =
  | { readonly words: readonly string[] }
  | { readonly tool: string; readonly args: object }
  | { readonly status: number; readonly error: string }

export interface Asked {
  readonly path: string
  readonly authorization: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface ModelProvider {
  /** As OPENAI_BASE_URL has it. */
  readonly url: string
  readonly asked: readonly Asked[]
  close(): Promise<void>
}

/** Answers the first request with the first turn, and so on; the last turn is said again and again. */
export async function startModelProvider(turns: readonly Turn[]): Promise<ModelProvider> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const turn = turns[Math.min(asked.length, turns.length - 1)] ?? { words: [] }
      asked.push(await read(request))
      if ('status' in turn) {
        response.writeHead(turn.status, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: { message: turn.error } }))
        return
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const isChat = request.url?.endsWith('/chat/completions') === true
      const chunks = isChat ? completion(turn) : reply(turn, asked.length)
      for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`)
      response.end(isChat ? 'data: [DONE]\n\n' : '')
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    asked,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function read(request: IncomingMessage): Promise<Asked> {
  return {
    path: request.url ?? '',
    authorization: request.headers.authorization ?? '',
    body: JSON.parse(await text(request)) as Record<string, unknown>,
  }
}

/** Of words alone: who asks this way here calls no tools. */
function completion(turn: Turn): object[] {
  const words = 'words' in turn ? turn.words : []
  const chunk = (delta: object, finish_reason: string | null = null): object => ({
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason }],
  })
  return [
    chunk({ role: 'assistant', content: '' }),
    ...words.map((content) => chunk({ content })),
    chunk({}, 'stop'),
    { object: 'chat.completion.chunk', choices: [], usage: { total_tokens: 9 } },
  ]
}

function reply(turn: Turn, count: number): object[] {
  const begins = {
    type: 'response.created',
    response: { id: `resp_${count}`, created_at: 1762447225, model: 'gpt-5-mini' },
  }
  const usage = { input_tokens: 5, output_tokens: 4 }
  return [
    begins,
    ...('tool' in turn ? called(turn, count) : said(turn, count)),
    { type: 'response.completed', response: { usage } },
  ]
}

function called({ tool, args }: Extract<Turn, { tool: string }>, count: number): object[] {
  const item = { type: 'function_call', id: `fc_${count}`, call_id: `call_${count}`, name: tool }
  const text = JSON.stringify(args)
  return [
    { type: 'response.output_item.added', output_index: 0, item: { ...item, arguments: '' } },
    ...(text.match(/.{1,9}/g) ?? []).map((delta) => ({
      type: 'response.function_call_arguments.delta',
      item_id: item.id,
      output_index: 0,
      delta,
    })),
    {
      type: 'response.output_item.done',
      output_index: 0,
      item: { ...item, arguments: text, status: 'completed' },
    },
  ]
}

function said(turn: Turn, count: number): object[] {
  const words = 'words' in turn ? turn.words : []
  const item = { type: 'message', id: `msg_${count}` }
  return [
    { type: 'response.output_item.added', output_index: 0, item },
    ...words.map((delta) => ({
      type: 'response.output_text.delta',
      item_id: item.id,
      output_index: 0,
      delta,
    })),
    { type: 'response.output_item.done', output_index: 0, item },
  ]
}
