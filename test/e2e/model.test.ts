import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { AgentProcess } from '../../examples/chat/backend/agent-process.ts'
import { startModelProvider, type ModelProvider, type Turn } from '../support/model-provider.ts'
import { API_KEY, startServerProcess, type ServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'

const KEY = 'sk-of-somebody'
const FROM_SOURCE = [
  '--disable-warning=ExperimentalWarning',
  '--import',
  join(import.meta.dirname, '../../examples/chat/from-source.ts'),
]

async function provide(turns: readonly Turn[]): Promise<ModelProvider> {
  const provider = await startModelProvider(turns)
  onTestFinished(() => provider.close())
  return provider
}

async function serve(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const server = await startServerProcess(env)
  onTestFinished(() => server.stop())
  return server
}

type Body = Readonly<Record<string, unknown>>

async function ask(url: string, method: string, body?: object): Promise<Body> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return (await response.json()) as Body
}

const say = (server: ServerProcess, session: string, text: string): Promise<Body> =>
  ask(`${server.url}/v1/sessions/${session}/inputs`, 'POST', {
    input: `i-${text.length}`,
    mode: 'queue',
    parts: [{ type: 'text', text }],
  })

interface Run {
  readonly status: string
  readonly error?: { readonly message: string }
}

async function ended(server: ServerProcess, session: string, count = 1): Promise<readonly Run[]> {
  let runs: readonly Run[] = []
  await until('it is answered', async () => {
    runs = (await ask(`${server.url}/v1/sessions/${session}/runs`, 'GET'))['runs'] as Run[]
    return runs.length === count && runs.every(({ status }) => /finished|failed/.test(status))
  })
  return runs
}

interface Shown {
  readonly role: string
  readonly parts: readonly { readonly type: string }[]
}

/** What people are shown of the last answer: its tools and its words. */
async function answer(server: ServerProcess, session: string): Promise<unknown> {
  const { messages } = await ask(`${server.url}/v1/sessions/${session}/messages`, 'GET')
  const last = (messages as Shown[]).findLast(({ role }) => role === 'assistant')
  return last?.parts.filter(({ type }) => type === 'tool' || type === 'text')
}

test('the chat’s agent asks the model whose key the environment has, runs the tool that it calls, and says what it says then', async () => {
  const provider = await provide([
    { tool: 'weather', args: { sea: 'Kattegat', days: 3 } },
    { words: ['Thursday ', 'is ', 'calm.'] },
  ])
  const server = await serve()
  const agent = new AgentProcess({ url: server.url, key: API_KEY }, FROM_SOURCE, {
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: provider.url,
    OPENAI_MODEL: 'a-model',
    AGENT_PACE: '1',
  })
  onTestFinished(() => agent.close())
  await agent.start()
  await ask(`${server.url}/v1/sessions/chat-sea`, 'PUT', {})
  agent.follow('chat-sea')
  await say(server, 'chat-sea', 'How is the sea?')
  expect(await ended(server, 'chat-sea')).toMatchObject([
    { status: 'finished', output: 'Thursday is calm.' },
  ])
  expect(await answer(server, 'chat-sea')).toMatchObject([
    { type: 'tool', name: 'weather', input: { sea: 'Kattegat' }, output: { unit: 'Bft' } },
    { type: 'text', text: 'Thursday is calm.' },
  ])
  expect(provider.asked).toMatchObject([
    { path: '/v1/responses', authorization: `Bearer ${KEY}`, body: { model: 'a-model' } },
    { path: '/v1/responses' },
  ])
  const [first, second] = provider.asked.map(({ body }) => JSON.stringify(body['input']))
  expect(first).toContain('How is the sea?')
  expect(second).toContain('Bft')
})

test('the demo asks the model whose key the environment has, with what was said before, and tells when it fails', async () => {
  const provider = await provide([
    { words: ['Yes, ', 'it ', 'holds.'] },
    { status: 429, error: 'You have spent it all' },
  ])
  const server = await serve({
    DEMO: 'on',
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: provider.url,
    OPENAI_MODEL: 'a-model',
  })
  const joined = await ask(`${server.url}/demo/join`, 'POST', {})
  expect(joined['model']).toBe('a-model')
  const session = String(joined['session'])
  await say(server, session, 'Does it hold?')
  await ended(server, session)
  expect(await answer(server, session)).toMatchObject([{ type: 'text', text: 'Yes, it holds.' }])
  await say(server, session, 'And now?')
  expect((await ended(server, session, 2)).map(({ status }) => status).toSorted()).toEqual([
    'failed',
    'finished',
  ])
  expect(provider.asked).toMatchObject([
    { path: '/v1/chat/completions', authorization: `Bearer ${KEY}`, body: { model: 'a-model' } },
    {
      body: {
        messages: [
          { role: 'user', content: 'Does it hold?' },
          { role: 'assistant', content: 'Yes, it holds.' },
          { role: 'user', content: 'And now?' },
        ],
      },
    },
  ])
})
