import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createClient, type ClientOptions } from '../../src/client/create-client.ts'
import { startLocalServer, type LocalServer } from '../support/local-server.ts'
import { until } from '../support/until.ts'

let server: LocalServer
let sessions = 0

beforeAll(async () => {
  server = await startLocalServer()
})
afterAll(() => server.close())

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  const response = await fetch(`${server.url}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`)
  return response
}

async function newSession(): Promise<string> {
  const id = `tabs-${sessions++}`
  await ask('PUT', `/sessions/${id}`, {})
  return id
}

async function tokenOf(subject: string, session = 'tabs-*'): Promise<string> {
  const body = {
    subject,
    sessions: [session],
    capabilities: ['subscribe', 'history', 'send', 'presence'],
    ttlMs: 600_000,
  }
  const answer = (await (await ask('POST', '/tokens', body)).json()) as { readonly token: string }
  return answer.token
}

/** A browser whose sockets never open, with tabs; its namespace is its own. */
function browser() {
  const namespace = `browser-${sessions++}`
  const streams = { open: 0, ever: 0 }
  const counted: ClientOptions['fetch'] = async (url, init) => {
    const accept = new Headers(init.headers).get('accept')
    if (accept !== 'text/event-stream') return fetch(url, init)
    streams.open += 1
    streams.ever += 1
    init.signal?.addEventListener('abort', () => (streams.open -= 1))
    return fetch(url, init)
  }
  const tab = (id: string, token: string, options: Partial<ClientOptions> = {}) => {
    const client = createClient({
      url: server.url,
      token,
      transport: 'sse',
      share: 'leader',
      namespace,
      fetch: counted,
      random: () => 0.1,
      ...options,
    })
    onTestFinished(() => client.close())
    const session = client.session(id)
    const serials: number[] = []
    session.on('event', ({ serial }) => serials.push(serial))
    const resets: string[] = []
    session.on('reset', ({ reason }) => resets.push(reason))
    session.attach()
    return { client, session, serials, resets }
  }
  return { streams, tab }
}

const note = (id: string) => ask('POST', `/sessions/${id}/events`, { type: 'x.note', data: {} })

describe('tabs that share a leader', () => {
  test('[R19] ten tabs have one stream, and each has every event once, in order', async () => {
    const id = await newSession()
    await note(id)
    const token = await tokenOf('ada')
    const { streams, tab } = browser()
    const tabs = Array.from({ length: 10 }, () => tab(id, token))
    await until('all live', () => tabs.every(({ client }) => client.state === 'live'))
    await until('one leads', () => streams.open === 1)
    for (let n = 0; n < 50; n++) await note(id)
    await until('all have all', () =>
      tabs.every(({ session }) => session.view.position.serial === 52),
    )
    for (const { serials, resets } of tabs) {
      expect(serials).toEqual(Array.from({ length: 50 }, (_, n) => n + 3))
      expect(resets).toEqual([])
    }
    expect(streams).toEqual({ open: 1, ever: 1 })
  })

  test('the leader closes: another tab leads, and nobody misses or doubles anything', async () => {
    const id = await newSession()
    const token = await tokenOf('ada')
    const { streams, tab } = browser()
    const first = tab(id, token)
    await until('it leads', () => streams.open === 1 && first.session.state === 'live')
    const others = [tab(id, token), tab(id, token), tab(id, token)]
    await until('all live', () => others.every(({ client }) => client.state === 'live'))
    await note(id)
    await until('told', () => others.every(({ serials }) => serials.length === 1))
    const writing = (async () => {
      for (let n = 0; n < 40; n++) await note(id)
    })()
    first.client.close()
    await writing
    await until('all there', () => others.every(({ serials }) => serials.at(-1) === 42))
    for (const { serials, resets } of others) {
      expect(serials).toEqual(Array.from({ length: 41 }, (_, n) => n + 2))
      expect(resets).toEqual([])
    }
    await until('the old stream is gone', () => streams.open === 1)
    for (const { client } of others) client.close()
    await until('none is left', () => streams.open === 0)
  })

  test('each session has its stream, and one that nobody shows any more has none', async () => {
    const [one, two] = [await newSession(), await newSession()]
    const token = await tokenOf('ada')
    const { streams, tab } = browser()
    const first = tab(one, token)
    const second = tab(two, token)
    const third = tab(two, token)
    await until('two streams', () => streams.open === 2)
    await note(two)
    await until('told', () => [second, third].every(({ serials }) => serials.length === 1))
    expect(first.serials).toEqual([])
    expect(streams.open).toBe(2)
  })

  test('two people in one browser share nothing', async () => {
    const id = await newSession()
    const { streams, tab } = browser()
    const ada = tab(id, await tokenOf('ada'))
    const bob = tab(id, await tokenOf('bob'))
    await until('two streams', () => streams.open === 2)
    await note(id)
    await until('told', () => [ada, bob].every(({ serials }) => serials.length === 1))
  })

  test('a tab whose token is not for a session is refused, though the leader may read it', async () => {
    const id = await newSession()
    const { streams, tab } = browser()
    tab(id, await tokenOf('ada'))
    await until('it leads', () => streams.open === 1)
    const other = tab(id, await tokenOf('ada', 'another'))
    await until('refused', () => other.session.state === 'failed')
    await note(id)
    expect(other.session.position).toBeNull()
  })

  test('what a tab says and who is there go by its own requests', async () => {
    const id = await newSession()
    const token = await tokenOf('ada')
    const { tab } = browser()
    const [one, two] = [tab(id, token), tab(id, token)]
    await until('live', () => [one, two].every(({ session }) => session.state === 'live'))
    await one.session.send('Hello')
    await until('seen', () => two.session.messages.length === 1)
    await two.session.presence({ status: 'reading' })
    await until('there', () => one.session.members[0]?.status === 'reading')
  })
})
