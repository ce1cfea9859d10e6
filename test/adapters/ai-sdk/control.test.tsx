// @vitest-environment jsdom
import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../../src/client/create-client.ts'
import type { Session } from '../../../src/client/session.ts'
import { Socket } from '../../react/support/socket.ts'
import { until } from '../../support/until.ts'
import { useHouse } from './house.ts'
import { HOOKS, openPage } from './page.tsx'

const house = useHouse()

async function supervisor(id: string): Promise<Session> {
  const capabilities = ['subscribe', 'history', 'send', 'control', 'publish']
  const body = { subject: 'sam', kind: 'supervisor', sessions: [id], capabilities, ttlMs: 600_000 }
  const { token } = await house.ask('POST', '/tokens', body)
  const storage = { local: null, tab: null }
  const client = createClient({
    url: house.server.url,
    token: String(token),
    storage,
    WebSocket: Socket,
  })
  onTestFinished(() => client.close())
  return client.session(id)
}

test.each(HOOKS)(
  'what a person says in the place of an agent that waits is shown at once, and the agent is shown again when it goes on, in useChat of %s [R20]',
  async (_name, version, useChat) => {
    const id = await house.newSession()
    house.agent(id, async (run) => {
      await run.pipe(['I ask you. '])
      await run.ask({ question: `sure-${id}`, prompt: 'Sure?', schema: { type: 'boolean' } })
      await run.pipe(['I go on.'])
    })
    const page = await openPage(useChat, id, house.transport({ version }))
    await page.is('ready')
    void page.now().sendMessage({ text: 'Tell me' })
    await page.shows('Tell me', 'I ask you. ')
    expect(page.now().status).toBe('streaming')
    const sam = await supervisor(id)
    await sam.takeControl()
    await sam.send('A person speaks.', { role: 'assistant' })
    await page.shows('Tell me', 'I ask you. ', 'A person speaks.')
    const late = await openPage(useChat, id, house.transport({ version }))
    await late.shows('Tell me', 'I ask you. ', 'A person speaks.')
    await until('it is ready for what is said next', () => late.now().status === 'ready')
    await sam.releaseControl()
    await sam.answer(`sure-${id}`, true)
    await until('the agent is shown again', () => page.said().join('').includes('I go on.'))
    expect([page.errors, late.errors]).toEqual([[], []])
  },
  60_000,
)
