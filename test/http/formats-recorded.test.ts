import { createTextStreamResponse, createUIMessageStreamResponse } from 'ai'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { fold } from '../agent/support/folded.ts'
import { streamOf, testRecorded } from '../support/recorded.ts'
import type { StreamPart } from '../support/recordings.ts'
import { startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer

beforeAll(async () => {
  server = await startHttp()
})
afterAll(() => server?.close())

async function* textOf(parts: AsyncIterable<StreamPart>): AsyncGenerator<string> {
  for await (const part of parts) if (part.type === 'text-delta') yield part.text
}

/** Appends what the AI SDK would answer a browser with, as it answers it, and gives the message that it became. */
async function appended(session: string, response: Response, query: string) {
  const path = `/v1/sessions/${session}`
  await server.ask('PUT', path)
  await server.ask('POST', `${path}/runs`, { body: { run: 'r1' } })
  const answer = await server.ask('POST', `${path}/runs/r1/events${query}`, {
    raw: response.body ?? '',
    headers: {
      'content-type': response.headers.get('content-type') ?? '',
      'run-epoch': '1',
      'idempotency-key': 'k',
    },
  })
  expect([answer.status, answer.text.includes('"error":')]).toEqual([200, false])
  const { json } = await server.ask('GET', `${path}/messages`)
  return json.messages
}

describe('[P-10.13] the very response of the AI SDK, of a real answer', () => {
  testRecorded(
    '%s: chunks and text fold to what the SDK makes of them',
    { timeout: 20_000 },
    async ({ name, parts, chunks }) => {
      // The SDK makes ids as it goes: one stream for both.
      const [stream, same] = chunks().tee()
      const [ui] = await appended(
        `ui-${name}`,
        createUIMessageStreamResponse({ stream }),
        '?format=ui-message-chunks',
      )
      const { message } = await fold(same)
      expect([ui.status, ui.parts, ui.metadata]).toEqual([
        message?.status,
        message?.parts,
        message?.metadata,
      ])
      const text = await fold(textOf(parts()))
      if (text.message === undefined) return
      const response = createTextStreamResponse({ stream: streamOf(textOf(parts())) })
      const [plain] = await appended(`text-${name}`, response, '')
      expect(plain.parts).toEqual(text.message.parts)
    },
  )
})
