// @vitest-environment jsdom
import { MockLanguageModelV4, simulateReadableStream } from 'ai/test'
import type { ComponentType } from 'react'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Agent } from '../../../src/agent/index.ts'
import { render, whole } from '../../react/support/render.ts'
import { Socket } from '../../react/support/socket.ts'
import { importExample, readPage } from '../../support/docs-example.ts'
import { API_KEY } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'

const house = useHouse()
const docs = readPage('docs/ai-sdk.md')

type Streamed = Awaited<ReturnType<MockLanguageModelV4['doStream']>>
type Chunk = Streamed['stream'] extends ReadableStream<infer Part> ? Part : never

const model = (prompts: unknown[]) =>
  new MockLanguageModelV4({
    doStream: ({ prompt }) => {
      prompts.push(prompt)
      const tokens = { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }
      const usage = { inputTokens: tokens, outputTokens: { total: 1, text: 1, reasoning: 0 } }
      const chunks: Chunk[] = [
        { type: 'stream-start', warnings: [] },
        { type: 'text-start', id: '0' },
        { type: 'text-delta', id: '0', delta: 'Tea is ' },
        { type: 'text-delta', id: '0', delta: `ready ${prompts.length}.` },
        { type: 'text-end', id: '0' },
        { type: 'finish', usage, finishReason: { unified: 'stop', raw: 'stop' } },
      ]
      const stream = simulateReadableStream({ chunks, chunkDelayInMs: 5 })
      return Promise.resolve({ stream })
    },
  })

test('the page and the agent of the documentation talk to each other, and another page sees it', async () => {
  const id = await house.newSession()
  const prompts: unknown[] = []
  vi.stubGlobal('WebSocket', Socket)
  vi.stubGlobal('fetchTokenFromYourBackend', () => house.token())
  vi.stubGlobal('model', model(prompts))
  const url = `http://127.0.0.1:${house.proxy.port}`
  const { agent } = await importExample<{ readonly agent: Agent }>(docs, 'agent', (text) =>
    text
      .replace(
        "'http://127.0.0.1:4400', apiKey: 'id:secret'",
        `'${house.server.url}', apiKey: '${API_KEY}', socket: false`,
      )
      .replace('chat-1', id)
      .replace('const agent', 'export const agent')
      .replace('await session.serve', 'void session.serve'),
  )
  onTestFinished(() => agent.close())
  const { Chat } = await importExample<{ readonly Chat: ComponentType<{ readonly id: string }> }>(
    docs,
    'page',
    (text) => text.replace('http://127.0.0.1:4400', url),
  )
  const page = await render(<Chat id={id} />)
  const say = async (text: string): Promise<void> => {
    const field = page.container.querySelector('input')
    if (field === null) throw new Error('there is no field')
    field.value = text
    await whole(() => page.container.querySelector('form')?.requestSubmit())
  }
  await say('Tea?')
  await until('answered', () => page.text().includes('Tea is ready 1.'), {
    instead: () => page.text(),
  })
  await say('More?')
  await until('answered again', () => page.text().includes('Tea is ready 2.'), {
    instead: () => page.text(),
  })
  expect(JSON.stringify(prompts[1])).toContain('Tea is ready 1.')
  const other = await render(<Chat id={id} />)
  await until('seen', () => other.text() === page.text(), { instead: () => other.text() })
  expect(page.text()).toBe(
    [
      'user: Tea?',
      'assistant: Tea is ready 1.',
      'user: More?',
      'assistant: Tea is ready 2.Stop',
    ].join(''),
  )
}, 60_000)

test('every example that the page marks is run here', () => {
  expect(docs.names).toEqual(['page', 'agent'])
})
