import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createClient, type ClientOptions } from '../../src/client/create-client.ts'
import type { Session } from '../../src/client/session.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'
import { until } from '../support/until.ts'
import { FakeStorage } from './support/fake-storage.ts'

let server: LocalServer
let sessions = 0

beforeAll(async () => {
  server = await startLocalServer()
})
afterAll(() => server.close())

async function ask(method: string, path: string, body?: unknown, epoch?: number) {
  const response = await fetch(`${server.url}/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${server.key}`,
      'content-type': 'application/json',
      ...(epoch !== undefined && { 'run-epoch': String(epoch) }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
  return (await response.json()) as Record<string, unknown>
}

/** The server's requests, through a network that the test holds. */
function network() {
  const state = { away: false, losing: false, inputs: 0 }
  const away: ClientOptions['fetch'] = async (url, init) => {
    if (url.endsWith('/inputs')) state.inputs += 1
    if (state.away) throw new TypeError('fetch failed')
    const response = await fetch(url, init)
    if (state.losing) throw new TypeError('fetch failed')
    return response
  }
  return { state, fetch: away }
}

async function open(options: Partial<ClientOptions> = {}, id = `prompts-${sessions++}`) {
  await ask('PUT', `/sessions/${id}`, {})
  const client = createClient({ url: server.url, token: server.key, random: () => 0, ...options })
  onTestFinished(() => client.close())
  const session = client.session(id)
  session.attach()
  await until('attached', () => session.state === 'live')
  return { client, session, id }
}

const texts = (session: Session) => session.messages.map(({ parts }) => parts[0]?.text)
const types = async (id: string) => {
  const { events } = await ask('GET', `/sessions/${id}/events?after=0&limit=100`)
  return (events as { readonly type: string }[]).map(({ type }) => type)
}

describe('a prompt is a message and an input in one', () => {
  test('it is shown at once, and waits for an agent once it is in the log [P-11.1]', async () => {
    const { session } = await open()
    const sent = session.prompt('Hello', { id: 'p' })
    expect(session.messages).toMatchObject([{ id: 'p', role: 'user', pending: true }])
    expect(await sent).toMatchObject({ first: 2, last: 3, duplicates: 0, durability: 'fsync' })
    await until('in the log', () => session.messages[0]?.pending === undefined)
    expect(texts(session)).toEqual(['Hello'])
    expect(session.inputs).toMatchObject([{ id: 'p', mode: 'queue', message: 'p' }])
    expect(session.outbox).toEqual([])
  })

  test('with what is sent, it keeps the order of the calls', async () => {
    const { session } = await open()
    await Promise.all([
      session.send('one'),
      session.prompt('two'),
      session.send('three'),
      session.prompt('four', { mode: 'steer' }),
    ])
    await until('all there', () => session.messages.every(({ pending }) => pending !== true))
    expect(texts(session)).toEqual(['one', 'two', 'three', 'four'])
    // No run lives that could be steered. [P-11.2]
    expect(session.inputs.map(({ mode }) => mode)).toEqual(['queue', 'queue'])
  })

  test('[P-2.7] where no answer comes it is sent until one does, and is there once', async () => {
    const { state, fetch } = network()
    const { session, id } = await open({ fetch })
    state.losing = true
    const sent = session.prompt('once')
    await until('sent', () => state.inputs >= 3)
    state.losing = false
    await sent
    expect(await types(id)).toEqual(['session.created', 'message.completed', 'input.received'])
  })

  test('it outlives a reload, with what is sent before and after it', async () => {
    const { state, fetch } = network()
    const local = new FakeStorage()
    const storage = { local, tab: new FakeStorage() }
    const before = await open({ fetch, storage })
    state.away = true
    void before.session.prompt('said before the reload')
    void before.session.send('and this')
    await until('tried', () => state.inputs > 0)
    before.client.close()
    expect(local.length).toBe(2)
    const after = await open({ storage }, before.id)
    await until('there', () => after.session.position?.includes('.4.') === true)
    expect(texts(after.session)).toEqual(['said before the reload', 'and this'])
    await until('nothing is kept', () => local.length === 0)
    expect(after.session.inputs).toHaveLength(1)
  })

  test('what is refused is marked failed, and can be forgotten', async () => {
    const { session } = await open()
    await expect(session.prompt('no', { id: 'p', run: '-' })).rejects.toMatchObject({
      code: 'invalid_request',
    })
    expect(session.messages[0]).toMatchObject({ failed: { code: 'invalid_request' } })
    expect(session.discard('p')).toBe(true)
    expect(session.messages).toEqual([])
  })

  test('one that was cancelled before it came is too late, and no word of it is kept [P-11.4]', async () => {
    const { session, id } = await open()
    await session.cancel({ input: 'p' })
    await expect(session.prompt('no', { id: 'p' })).rejects.toMatchObject({ code: 'too_late' })
    expect(await types(id)).toEqual(['session.created'])
  })
})

describe('a stop is never a stop of something else', () => {
  async function running(session: Session, id: string, run: string) {
    const { epoch } = await ask('POST', `/sessions/${id}/runs`, { run })
    await until(`${run} is seen`, () => session.runs.some((one) => one.id === run))
    return Number(epoch)
  }

  test('an interrupt names the run that lives: when that is over it is dropped, and what came later goes on [P-11.2]', async () => {
    const { state, fetch } = network()
    const { session, id } = await open({ fetch, random: () => 0.3 })
    const epoch = await running(session, id, 'r1')
    state.away = true
    const stopping = session.interrupt('Stop that', { id: 'stop' })
    await until('tried', () => state.inputs > 0)
    await ask('POST', `/sessions/${id}/runs/r1/finish`, {}, epoch)
    await running(session, id, 'r2')
    state.away = false
    expect(await stopping).toEqual({ input: 'stop', outcome: 'too_late', last: expect.any(Number) })
    expect(session.runs.map((run) => [run.id, run.status])).toEqual([
      ['r1', 'finished'],
      ['r2', 'thinking'],
    ])
    expect(texts(session)).toEqual([])
  })

  test('one that can name none, since several live, is sent once', async () => {
    const { state, fetch } = network()
    const { session, id } = await open({ fetch })
    await running(session, id, 'r1')
    await running(session, id, 'r2')
    state.away = true
    await expect(session.interrupt('Stop')).rejects.toMatchObject({ code: 'disconnected' })
    expect(state.inputs).toBe(1)
    state.away = false
    expect(await session.interrupt('Stop')).toMatchObject({ outcome: 'delivered' })
    await until('all are over', () => session.runs.every(({ status }) => status === 'cancelled'))
  })

  test('a late cancel of a run changes nothing [P-10.8]', async () => {
    const { session, id } = await open()
    const epoch = await running(session, id, 'r1')
    await ask('POST', `/sessions/${id}/runs/r1/finish`, {}, epoch)
    await running(session, id, 'r2')
    const answer = await session.cancel({ run: 'r1' })
    expect(answer).toEqual({ cancelled: false, status: 'finished' })
    expect(session.runs.at(-1)?.status).toBe('thinking')
  })
})
