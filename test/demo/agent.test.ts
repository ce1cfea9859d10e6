import { expect, onTestFinished, test } from 'vitest'
import { DemoAgent } from '../../src/demo/agent.ts'
import { AgentApi } from '../../src/demo/api.ts'
import { openRoom } from '../agent/support/setup.ts'
import { until } from '../support/until.ts'

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }

test('the agent of the demo answers whoever came last, however many came before, and who comes back', async () => {
  const room = await openRoom()
  onTestFinished(() => room.close())
  const api = new AgentApi(room.server.url, room.server.key)
  const agent = new DemoAgent(api, null, SILENT, 2)
  onTestFinished(() => agent.close())
  const come = async (session: string): Promise<void> => {
    await api.open(session)
    agent.follow(session)
  }
  const isAnswered = async (session: string): Promise<boolean> => {
    const { runs } = await room.ask('GET', `/sessions/${session}/runs`)
    return (runs as unknown[]).length > 0
  }
  // As an earlier version made them: for good.
  await room.agent.session('demo-1').open()
  for (const session of ['demo-1', 'demo-2', 'demo-3']) await come(session)
  for (const session of ['demo-1', 'demo-2', 'demo-3']) await room.say(session, 'Hello')
  await until('the last two are answered', async () => {
    return (await isAnswered('demo-2')) && (await isAnswered('demo-3'))
  })
  expect(await isAnswered('demo-1')).toBe(false)
  await come('demo-1')
  await until('who came back is answered', () => isAnswered('demo-1'))
}, 60_000)
