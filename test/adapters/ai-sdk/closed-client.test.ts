import { expect, onTestFinished, test } from 'vitest'
import { createAgent } from '../../../src/agent/index.ts'
import { SessionChatTransport } from '../../../src/adapters/ai-sdk/index.ts'
import { createClient } from '../../../src/client/create-client.ts'
import { API_KEY } from '../../support/server-process.ts'
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
