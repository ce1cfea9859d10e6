import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { createAgent, type Agent } from '../../src/agent/index.ts'
import { createClient } from '../../src/client/create-client.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'
import { until } from '../support/until.ts'

/** Readers who come when much has happened, and stay for what comes. */
let server: LocalServer
let agent: Agent
beforeAll(async () => {
  server = await startLocalServer()
  agent = createAgent({ url: server.url, apiKey: server.key })
})
afterAll(async () => {
  await agent?.close()
  await server?.close()
})

function watch(id: string) {
  const client = createClient({ url: server.url, token: server.key })
  onTestFinished(() => client.close())
  const session = client.session(id)
  const events: string[] = []
  session.on('event', ({ type }) => events.push(type))
  return { session, events }
}

async function post(path: string, body: unknown): Promise<void> {
  const response = await fetch(`${server.url}/v1/sessions/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
}

test('[P-4.5] an answer of 50,000 deltas comes to a late reader as one message, and then what follows (R22, S4-07)', async () => {
  await agent.session('long').open()
  await post('long/events', { type: 'message.started', data: { message: 'm', role: 'assistant' } })
  const delta = { type: 'message.delta', data: { message: 'm', text: 'word ' } }
  const thousand = Array.from({ length: 1000 }, () => delta)
  for (let i = 0; i < 50; i++) await post('long/events', thousand)

  const { session, events } = watch('long')
  await until('the view is there', () => session.view.position.serial === 50_002)
  expect(events).toEqual([])
  expect(session.messages.map(({ parts }) => parts)).toEqual([
    [{ type: 'text', text: 'word '.repeat(50_000) }],
  ])
  await post('long/events', { type: 'message.delta', data: { message: 'm', text: 'more' } })
  await until('it goes on', () => events.length === 1)
  expect(session.messages[0]?.parts[0]?.text?.endsWith('word more')).toBe(true)
}, 60_000)

test('one subscription spans runs: those that were over before, that failed, and that nobody here has started (R12, R4, S0-12)', async () => {
  const session = agent.session('many')
  await session.open()
  await session.run({ run: 'r1' }, (run) => run.text('first'))
  await expect(
    session.run({ run: 'r2' }, async (run) => {
      await run.text('half')
      throw new Error('the model is gone')
    }),
  ).rejects.toThrow('the model is gone')

  const watched = watch('many')
  await until('the past is there', () => watched.session.runs.length === 2)
  expect(watched.session.runs.map(({ status }) => status)).toEqual(['finished', 'failed'])
  await session.run({ run: 'r3', trigger: 'cron-7' }, (run) => run.text('third'))
  await until('the third is over', () => watched.session.runs.at(-1)?.status === 'finished')
  const texts = watched.session.messages.map(({ parts }) => parts.map(({ text }) => text).join(''))
  expect(texts).toEqual(['first', 'half', 'third'])
  expect(watched.session.messages.map(({ status }) => status)).toEqual([
    'completed',
    'failed',
    'completed',
  ])
})
