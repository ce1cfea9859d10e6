// @vitest-environment jsdom
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MockLanguageModelV4, simulateReadableStream } from 'ai/test'
import type { ComponentType } from 'react'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Agent } from '../../../src/agent/index.ts'
import { render, whole } from '../../react/support/render.ts'
import { Socket } from '../../react/support/socket.ts'
import { API_KEY } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'

const house = useHouse()
const root = join(import.meta.dirname, '../../..')

/** The block of docs/ai-sdk.md that follows `<!-- run: name -->`, as the module that it is. */
async function example<T>(name: string, change: (text: string) => string): Promise<T> {
  const page = await readFile(join(root, 'docs/ai-sdk.md'), 'utf8')
  const block = new RegExp(`<!-- run: ${name} -->\n\`\`\`tsx?\n([\\s\\S]*?)\n\`\`\``).exec(
    page,
  )?.[1]
  if (block === undefined) throw new Error(`docs/ai-sdk.md has no example ${name}`)
  // Within the package, as a file of it: it finds the AI SDK and us.
  const folder = await mkdtemp(join(root, '.vitest-docs-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, `${name}.tsx`)
  await writeFile(file, change(block))
  return (await import(/* @vite-ignore */ file)) as T
}

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
  const { agent } = await example<{ readonly agent: Agent }>('agent', (text) =>
    text
      .replace(
        "'http://127.0.0.1:4400', apiKey: 'id:secret'",
        `'${house.server.url}', apiKey: '${API_KEY}', socket: false`,
      )
      .replace('chat-1', id)
      .replace('const agent', 'export const agent')
      .replace('await agent', 'void agent'),
  )
  onTestFinished(() => agent.close())
  const { Chat } = await example<{ readonly Chat: ComponentType<{ readonly id: string }> }>(
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
