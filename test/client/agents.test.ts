import { expect, onTestFinished, test } from 'vitest'
import { createClient } from '../../src/client/create-client.ts'
import type { Session } from '../../src/client/session.ts'
import { activePath, sharedBranch, siblingsOf } from '../../src/protocol/branches.ts'
import { until } from '../support/until.ts'
import { proxiedServer, type ProxiedServer } from './support/proxied-server.ts'

/** People and agents in one session, over a real server: the agents by plain HTTP, the people by the client. */
const net = proxiedServer()
const ask: ProxiedServer['ask'] = (...request) => net().ask(...request)
let sessions = 0

/** An agent's side of one run. */
class Agent {
  readonly #path: string
  readonly #headers: Record<string, string>

  constructor(session: string, run: string, epoch: unknown) {
    this.#path = `/sessions/${session}/runs/${run}`
    this.#headers = { 'run-epoch': String(epoch) }
  }

  say(...events: object[]) {
    return ask('POST', `${this.#path}/events`, events, this.#headers)
  }

  tell(what: string, body: object = {}) {
    return ask('POST', `${this.#path}/${what}`, body, this.#headers)
  }
}

async function startRun(session: string, run: string, body: object = {}): Promise<Agent> {
  const { epoch } = await ask('POST', `/sessions/${session}/runs`, { run, ...body })
  return new Agent(session, run, epoch)
}

async function newSession(): Promise<string> {
  const id = `agents-${sessions++}`
  await ask('PUT', `/sessions/${id}`, {})
  return id
}

async function follow(id: string, subject = 'ada'): Promise<Session> {
  const client = createClient({
    url: net().url,
    token: async () => {
      const capabilities = ['subscribe', 'history', 'send', 'state', 'control']
      const body = { subject, sessions: ['agents-*'], capabilities, ttlMs: 600_000 }
      return String((await ask('POST', '/tokens', body))['token'])
    },
  })
  onTestFinished(() => client.close())
  const session = client.session(id)
  session.attach()
  await until('attached', () => session.state === 'live')
  return session
}

const started = (message: string) => ({
  type: 'message.started',
  data: { message, role: 'assistant' },
})
const delta = (message: string, text: string) => ({
  type: 'message.delta',
  data: { message, text },
})
const statusOf = (session: Session, run: string) =>
  session.runs.find(({ id }) => id === run)?.status

test('[P-10.4] [P-10.9] (R5) a page sees how an agent’s run is, and what it came to', async () => {
  const id = await newSession()
  const session = await follow(id)
  const agent = await startRun(id, 'r', { agent: 'researcher' })
  await until('thinking', () => statusOf(session, 'r') === 'thinking')
  await agent.say(started('m'), delta('m', 'Hello'))
  await until('streaming', () => statusOf(session, 'r') === 'streaming')
  await agent.tell('status', { step: 'search', checkpoint: { page: 2 } })
  net().proxy.cut()
  await agent.tell('finish', { output: { pages: 3 } })
  await until('finished', () => statusOf(session, 'r') === 'finished')
  expect(session.runs[0]).toMatchObject({
    agent: 'researcher',
    step: 'search',
    checkpoint: { page: 2 },
    output: { pages: 3 },
  })
  expect(session.messages[0]).toMatchObject({ run: 'r', status: 'completed' })
})

test('[P-10.8] (R1) a person cancels a run: what was written stays, marked, and nothing follows', async () => {
  const id = await newSession()
  const session = await follow(id)
  const agent = await startRun(id, 'r')
  await agent.say(started('m'), delta('m', 'Half a'))
  expect(await session.cancel({ run: 'r', reason: 'enough' })).toMatchObject({
    cancelled: true,
    status: 'cancelled',
  })
  await expect(agent.say(delta('m', ' word'))).rejects.toThrow('run_over')
  await until('told', () => statusOf(session, 'r') === 'cancelled')
  expect(session.messages[0]).toMatchObject({
    status: 'interrupted',
    parts: [{ type: 'text', text: 'Half a' }],
  })
  expect(await session.cancel({ run: 'r' })).toMatchObject({ cancelled: false })
})

test('[P-11.1] [P-11.2] (R10, S3-05) an input waits for the agent; an interrupt stops it', async () => {
  const id = await newSession()
  const session = await follow(id)
  expect(await session.input({ id: 'i', mode: 'queue', parts: 'Later' })).toMatchObject({
    input: 'i',
    outcome: 'queued',
  })
  await until('seen', () => session.inputs.length === 1)
  expect(session.messages[0]).toMatchObject({ id: 'i', role: 'user', by: 'ada' })
  const agent = await startRun(id, 'r', { trigger: 'i' })
  await agent.say(started('m'), delta('m', 'On it'))
  expect(await session.interrupt('Stop!')).toMatchObject({ outcome: 'delivered' })
  await until('cancelled', () => statusOf(session, 'r') === 'cancelled')
  expect(session.messages.find((message) => message.id === 'm')?.status).toBe('interrupted')
})

test('[P-16.5] [P-16.7] (R20, S3-11) a person has a message answered again and goes on from the first answer; another is asked to look there', async () => {
  const id = await newSession()
  const [ada, bob] = [await follow(id), await follow(id, 'bob')]
  await ada.input({ id: 'u1', mode: 'queue', parts: 'Name a tea.' })
  await ada.input({ id: 'again', mode: 'queue', parent: 'u1' })
  await until('seen', () => bob.inputs.length === 2)
  expect(bob.inputs).toMatchObject([
    { id: 'u1', message: 'u1' },
    { id: 'again', message: null, parent: 'u1' },
  ])
  for (const [run, trigger] of [
    ['r1', 'u1'],
    ['r2', 'again'],
  ] as const) {
    const agent = await startRun(id, run, { trigger })
    const epoch = { 'run-epoch': '1' }
    const deliver = `/sessions/${id}/inputs/${trigger}/deliver`
    const { parent } = await ask('POST', deliver, { run }, epoch)
    const data = { message: `${run}.m1`, role: 'assistant', parent }
    await agent.say({ type: 'message.completed', data })
    await agent.tell('finish')
  }
  await ada.send('Why that?', { id: 'u2', parent: 'r1.m1' })
  await ada.setState('branch', 'r1.m1')
  await until('all of it', () => sharedBranch(bob.sharedState) === 'r1.m1')
  expect(siblingsOf(bob.messages, 'r1.m1').map((one) => one.id)).toEqual(['r1.m1', 'r2.m1'])
  const path = activePath(bob.messages, sharedBranch(bob.sharedState))
  expect(path.map((one) => one.id)).toEqual(['u1', 'r1.m1', 'u2'])
  expect(activePath(bob.messages, 'r2.m1').map((one) => one.id)).toEqual(['u1', 'r2.m1'])
})

test('[P-11.5] a question is answered once, from any device', async () => {
  const id = await newSession()
  const [ada, bob] = [await follow(id), await follow(id, 'bob')]
  await startRun(id, 'r')
  const headers = { 'run-epoch': '1' }
  const question = { question: 'q', run: 'r', prompt: 'Sure?', schema: { type: 'boolean' } }
  await ask('POST', `/sessions/${id}/questions`, question, headers)
  await until('asked', () => ada.questions[0]?.status === 'open' && bob.questions.length === 1)
  expect(statusOf(ada, 'r')).toBe('waiting')
  await expect(ada.answer('q', 'maybe')).rejects.toMatchObject({ code: 'answer_invalid' })
  await ada.answer('q', true)
  await until('answered', () => bob.questions[0]?.status === 'answered')
  expect(bob.questions[0]).toMatchObject({ answer: true, answeredBy: 'ada' })
  await expect(bob.answer('q', false)).rejects.toMatchObject({ code: 'question_closed' })
  await until('goes on', () => statusOf(ada, 'r') === 'thinking')
})

test('[P-12.1] [P-12.2] (S1-07) the shared state is written by whoever has seen the latest version', async () => {
  const id = await newSession()
  const [ada, bob] = [await follow(id), await follow(id, 'bob')]
  expect(await ada.setState('plan', { steps: ['a'] }, { ifVersion: null })).toBe(1)
  await until('seen', () => bob.sharedState.get('plan')?.version === 1)
  expect(await bob.patchState('plan', { done: true }, { ifVersion: 1 })).toBe(2)
  await expect(ada.setState('plan', 0, { ifVersion: 1 })).rejects.toMatchObject({
    code: 'version_conflict',
  })
  await until('told', () => ada.sharedState.get('plan')?.version === 2)
  expect(ada.sharedState.get('plan')?.value).toEqual({ steps: ['a'], done: true })
  expect((await follow(id, 'eve')).sharedState.get('plan')?.version).toBe(2)
  await bob.deleteState('plan')
  await until('gone', () => !ada.sharedState.has('plan'))
})

test('[P-2.1] (R21, S3-04) what two agents write at once says which of them wrote it, and no byte of it is the other’s', async () => {
  const id = await newSession()
  const session = await follow(id)
  const names = ['one', 'two']
  const words = Array.from({ length: 60 }, (_, index) => `${index} ünï 𝄞 `)
  await Promise.all(
    names.map(async (name) => {
      const agent = await startRun(id, `r-${name}`, { agent: name })
      await agent.say(started(`m-${name}`))
      for (const word of words) await agent.say(delta(`m-${name}`, `${name} ${word}`))
      await agent.tell('finish')
    }),
  )
  await until('finished', () => session.runs.every(({ status }) => status === 'finished'))
  for (const name of names) {
    const message = session.messages.find((one) => one.id === `m-${name}`)
    expect(message).toMatchObject({ run: `r-${name}`, by: 'key:test', status: 'completed' })
    expect(session.runs.find((run) => run.id === message?.run)?.agent).toBe(name)
    expect(message?.parts).toEqual([
      { type: 'text', text: words.map((word) => `${name} ${word}`).join('') },
    ])
  }
})

test('[P-14.1] (S3-06) a person takes control, and gives it back', async () => {
  const id = await newSession()
  const [ada, bob] = [await follow(id), await follow(id, 'bob')]
  await ada.takeControl()
  await until('seen', () => bob.controller?.subject === 'ada')
  await expect(bob.takeControl()).rejects.toMatchObject({ code: 'control_taken' })
  await ada.releaseControl()
  await until('free', () => bob.controller === null)
})
