import { describe, expect, onTestFinished, test } from 'vitest'
import { createClient, type ClientOptions } from '../../src/client/create-client.ts'
import type { Session } from '../../src/client/session.ts'
import { startLocalServer } from '../support/local-server.ts'
import { startProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'
import { FakeClock } from './support/fake-clock.ts'
import { proxiedServer, type ProxiedServer } from './support/proxied-server.ts'

const net = proxiedServer()
const ask: ProxiedServer['ask'] = (...request) => net().ask(...request)
let sessions = 0

async function newSession(): Promise<string> {
  const id = `client-${sessions++}`
  await ask('PUT', `/sessions/${id}`, { metadata: { title: 'a talk' } })
  return id
}

async function tokenOf(subject: string): Promise<string> {
  const { token } = await ask('POST', '/tokens', {
    subject,
    sessions: ['client-*'],
    capabilities: ['subscribe', 'history', 'send', 'signal', 'presence'],
    ttlMs: 600_000,
  })
  return String(token)
}

function open(options: Partial<ClientOptions> = {}) {
  const client = createClient({
    url: net().url,
    token: () => tokenOf('ada'),
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

const textOf = (session: Session, id: string) =>
  session.messages.find((message) => message.id === id)?.parts[0]?.text

describe.each(['websocket', 'sse', 'long-poll'] as const)('a real server, over %s', (transport) => {
  test('[R2] an answer streams whole through a network that cuts it again and again', async () => {
    const id = await newSession()
    const session = open({ transport }).session(id)
    const tags: string[] = []
    session.on('event', (event) => tags.push(event.tag))
    await until('attached', () => session.state === 'live')
    const path = `/sessions/${id}/events`
    await ask('POST', path, { type: 'message.started', data: { message: 'm', role: 'assistant' } })
    const words = Array.from({ length: 200 }, (_, index) => `word-${index} `)
    for (const [index, text] of words.entries()) {
      await ask('POST', path, { type: 'message.delta', data: { message: 'm', text } })
      if (index % 40 === 20) net().proxy.cut(index % 80 === 20 ? 'reset' : 'end')
    }
    await ask('POST', path, { type: 'message.completed', data: { message: 'm' } })
    await until('complete', () => session.messages[0]?.status === 'completed')
    expect(textOf(session, 'm')).toBe(words.join(''))
    expect(new Set(tags).size).toBe(tags.length)
    expect(session.getSnapshot().metadata).toEqual({ title: 'a talk' })
  })

  test('[R3] what is said arrives once, though the connection ends under it', async () => {
    const id = await newSession()
    const session = open({ transport }).session(id)
    session.attach()
    await until('attached', () => session.state === 'live')
    const acks: Promise<unknown>[] = []
    for (let i = 0; i < 10; i++) {
      acks.push(session.send(`said ${i}`))
      if (i % 3 === 1) net().proxy.cut()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(acks)
    await until('all there', () => session.messages.every((message) => !message.pending))
    expect(session.messages.map((message) => message.parts[0]?.text)).toEqual(
      Array.from({ length: 10 }, (_, i) => `said ${i}`),
    )
    const { events } = await ask('GET', `/sessions/${id}/events?after=0&limit=100`)
    expect(events).toHaveLength(11)
  })

  test('[R11] people see each other', async () => {
    const id = await newSession()
    const ada = open({ transport }).session(id, { presence: { status: 'reading' } })
    ada.attach()
    const bob = open({ transport, token: () => tokenOf('bob') }).session(id)
    bob.attach()
    await until('seen', () => bob.members.length === 1)
    expect(bob.members[0]).toMatchObject({ subject: 'ada', kind: 'human', status: 'reading' })
    ada.detach()
    await until('gone', () => bob.members.length === 0)
  })

  test('[P-4.7] [P-9.8] signals go out, and are heard over all but polls', async () => {
    const id = await newSession()
    const ada = open({ transport }).session(id)
    const bob = open({ transport, token: () => tokenOf('bob') }).session(id)
    const eve = open({ transport: 'websocket', token: () => tokenOf('eve') }).session(id)
    const heard = (session: Session) => new Promise((resolve) => session.on('signal', resolve))
    const all = [heard(eve), ...(transport === 'long-poll' ? [] : [heard(bob)])]
    for (const session of [ada, bob, eve]) session.attach()
    await until('attached', () => [ada, bob, eve].every(({ state }) => state === 'live'))
    expect(ada.signal('typing', { on: true })).toBe(true)
    for (const signal of await Promise.all(all)) {
      expect(signal).toMatchObject({ name: 'typing', by: { subject: 'ada' }, data: { on: true } })
    }
  })

  test('[P-4.8] [P-9.8] how far was read is recorded, and never falls', async () => {
    const id = await newSession()
    const session = open({ transport }).session(id)
    await session.send('one')
    await until('told', () => session.view.position.serial === 2)
    await session.read()
    const path = `/sessions/${id}/read`
    const authorization = `Bearer ${await tokenOf('ada')}`
    expect(await ask('POST', path, { serial: 1 }, { authorization })).toEqual({ serial: 2 })
  })

  test('a session that is not there fails', async () => {
    const session = open({ transport }).session('client-nowhere')
    const failed = new Promise<string>((resolve) => {
      session.on('error', (error) => resolve(error.code))
    })
    expect(await failed).toBe('session_not_found')
    expect(session.state).toBe('failed')
  })

  test('wrong credentials end as unauthorized, after one new token', async () => {
    // Its own: a server slows down whoever fails, and that would be all of these tests.
    const other = await startLocalServer()
    onTestFinished(() => other.close())
    let tokens = 0
    const client = open({ transport, url: other.url, token: () => `nonsense-${tokens++}` })
    client.session('client-any').attach()
    await until('refused', () => client.state === 'unauthorized')
    expect(tokens).toBe(2)
  })
})

describe('a real server', () => {
  test('[P-6.3] a ticket opens a socket; a new one opens the next', async () => {
    const id = await newSession()
    let tickets = 0
    const ticket = async (): Promise<string> => {
      tickets += 1
      return String((await ask('POST', '/tickets', {}))['ticket'])
    }
    const client = open({ ticket, transport: 'websocket' })
    const session = client.session(id)
    session.attach()
    await until('attached', () => session.state === 'live')
    net().proxy.cut()
    await ask('POST', `/sessions/${id}/events`, { type: 'x.note', data: {} })
    await until('resumed', () => session.view.position.serial === 2)
    expect(tickets).toBe(2)
  })

  test('every event once, from the first, over cuts, by a consumer that is slow', async () => {
    const id = await newSession()
    const path = `/sessions/${id}/events`
    const some = (count: number) =>
      Array.from({ length: count }, () => ({ type: 'x.note', data: {} }))
    await ask('POST', path, some(700))
    const serials: number[] = []
    for await (const event of open().session(id).events({ after: 0 })) {
      serials.push(event.serial)
      if (event.serial === 300) await ask('POST', path, some(900))
      if (event.serial % 400 === 0) net().proxy.cut()
      if (event.serial === 1601) break
    }
    expect(serials).toEqual(Array.from({ length: 1601 }, (_, index) => index + 1))
  })

  test('a node that goes down is no end: the client looks for another, and says so after 2 s', async () => {
    const node = await startLocalServer({ DRAIN_MS: '1000' })
    onTestFinished(() => node.close())
    const front = await startProxy(Number(new URL(node.url).port))
    onTestFinished(() => front.close())
    const headers = { authorization: `Bearer ${node.key}` }
    await fetch(`${node.url}/v1/sessions/client-drain`, { method: 'PUT', headers })
    const client = createClient({ url: `http://127.0.0.1:${front.port}`, token: node.key })
    onTestFinished(() => client.close())
    const states: string[] = []
    client.on('state', (state) => states.push(state))
    client.session('client-drain').attach()
    await until('live', () => client.state === 'live')
    void node.drain()
    await until('noticed', () => states.includes('recovering'))
    expect(states).toEqual(['connecting', 'live', 'recovering'])
  })

  test.each(['websocket', 'sse'] as const)(
    '[P-4.10] a half-open line over %s, which looks well to this side, is given up after 35 s of silence (R15, S4-05)',
    async (transport) => {
      const id = await newSession()
      const clock = new FakeClock()
      const sockets: WebSocket[] = []
      class Watched extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url, protocols)
          sockets.push(this)
        }
      }
      const client = open({ transport, clock, token: await tokenOf('ada'), WebSocket: Watched })
      const session = client.session(id)
      session.attach()
      await until('live', () => session.state === 'live' && client.state === 'live')
      // What is there now is swallowed from here on, both ways; a new line would pass.
      net().proxy.mode = 'hole'
      const swallowed = net().proxy.seen('reply')
      await ask('POST', `/sessions/${id}/events`, { type: 'x.note', data: {} })
      await swallowed
      net().proxy.mode = 'pass'
      await clock.advance(34_000)
      expect(session.view.position.serial).toBe(1)
      expect(sockets.every(({ readyState }) => readyState === WebSocket.OPEN)).toBe(true)
      await clock.advance(1_500)
      await until('resumed', () => session.view.position.serial === 2)
      expect(sockets).toHaveLength(transport === 'websocket' ? 2 : 0)
    },
  )

  test('a token callback that fails for a while delays, and ends nothing', async () => {
    const id = await newSession()
    let calls = 0
    const token = async (): Promise<string> => {
      calls += 1
      if (calls <= 3) throw new Error('the backend is being deployed')
      return tokenOf('ada')
    }
    const client = open({ token, random: () => 0.1 })
    const codes: string[] = []
    client.on('error', (error) => codes.push(`${error.code} ${error.retryable}`))
    const session = client.session(id)
    const sent = session.send('said meanwhile')
    await until('live', () => client.state === 'live')
    expect((await sent).first).toBe(2)
    expect(codes).toEqual(Array.from({ length: 3 }, () => 'unauthenticated true'))
    expect(calls).toBe(4)
  })

  test('a ticket callback that fails while the line is down costs no event', async () => {
    const id = await newSession()
    let away = false
    let failures = 0
    const ticket = async (): Promise<string> => {
      if (!away) return String((await ask('POST', '/tickets', {}))['ticket'])
      failures += 1
      throw new Error('the backend is being deployed')
    }
    const client = open({ ticket, transport: 'websocket', random: () => 0.1 })
    const session = client.session(id)
    const serials: number[] = []
    session.on('event', ({ serial }) => serials.push(serial))
    await until('attached', () => session.state === 'live')
    away = true
    net().proxy.cut()
    const path = `/sessions/${id}/events`
    for (let count = 0; count < 3; count++) await ask('POST', path, { type: 'x.note', data: {} })
    await until('it was asked, again and again', () => failures >= 3)
    expect(serials).toEqual([])
    away = false
    await until('resumed', () => serials.length === 3)
    expect(serials).toEqual([2, 3, 4])
  })

  test('nothing went wrong on the other side', () => {
    expect(net().server.errors).toEqual([])
  })
})
