import { expect, onTestFinished, test } from 'vitest'
import { createAgent } from '../../../src/agent/index.ts'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { createClient } from '../../../src/client/create-client.ts'
import { API_KEY } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'

const house = useHouse()

test('a stream ends for its reader when somebody closes the client under it, and the agent goes on', async () => {
  const id = await house.newSession()
  const agent = createAgent({ url: house.server.url, apiKey: API_KEY, socket: false })
  onTestFinished(() => agent.close())
  const run = await agent.session(id).start({ trigger: 'question' })
  await run?.text('Half an answer')
  const storage = { local: null, tab: null }
  const token = (): Promise<string> => house.token()
  const client = createClient({ url: house.server.url, token, storage })
  const transport = new SessionChatTransport({ client })
  const stream = await transport.reconnectToStream({ chatId: id })
  const reader = stream?.getReader()
  for (;;) {
    const next = await reader?.read()
    if (next?.value?.type === 'text-delta') break
  }
  const rest = reader?.read()
  client.close()
  expect(await rest).toEqual({ done: true, value: undefined })
  await run?.text(' and the other half.')
  await run?.finish()
  const { runs } = await house.ask('GET', `/sessions/${id}/runs`)
  expect(runs).toMatchObject([{ status: 'finished' }])
}, 60_000)

test('what waits for a session fails when somebody closes the client under it', async () => {
  const storage = { local: null, tab: null }
  // Nobody is there.
  const client = createClient({ url: 'http://127.0.0.1:9', storage })
  const transport = new SessionChatTransport({ client })
  const asked = [
    transport.loadMessages('chat'),
    transport.reconnectToStream({ chatId: 'chat' }),
    transport.stop('chat'),
  ]
  const outcomes = Promise.allSettled(asked)
  await until('they wait', () => client.session('chat').state === 'attaching')
  client.close()
  const failed = { status: 'rejected', reason: { code: 'client_closed' } }
  expect(await outcomes).toMatchObject([failed, failed, failed])
}, 10_000)
