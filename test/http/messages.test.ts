import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'

let server: HttpServer
const PATH = '/v1/sessions/chat/messages'

beforeAll(async () => {
  server = await startHttp()
  await server.ask('PUT', '/v1/sessions/chat')
  for (let n = 1; n <= 120; n++) {
    const message = `m${n}`
    const role = n % 2 === 1 ? 'user' : 'assistant'
    await append({ type: 'message.started', data: { message, role } })
    for (const text of ['Hel', 'lo ', String(n)]) {
      await append({ type: 'message.delta', data: { message, text } })
    }
    await append({ type: 'message.completed', data: { message } })
  }
})

afterAll(() => server?.close())

const append = (event: unknown): Promise<Answered> =>
  server.ask('POST', '/v1/sessions/chat/events', { body: event })
const ids = ({ json }: Answered): string[] => json.messages.map(({ id }: { id: string }) => id)

describe('[P-9.6] folded messages', () => {
  test('the first page has the latest, in the order in which they began, with all their text', async () => {
    const answered = await server.ask('GET', `${PATH}?limit=3`)
    expect(ids(answered)).toEqual(['m118', 'm119', 'm120'])
    expect(answered.json.messages[2]).toMatchObject({
      role: 'assistant',
      parent: 'm119',
      status: 'completed',
      parts: [{ type: 'text', text: 'Hello 120' }],
      by: 'key:agent',
    })
    expect(answered.json.more).toBe(true)
  })

  test('the first message of a page gives the next', async () => {
    const found: string[] = []
    let query = 'limit=50'
    for (let more = true; more;) {
      const page = await server.ask('GET', `${PATH}?${query}`)
      found.unshift(...ids(page))
      query = `limit=50&before=${found[0]}`
      more = page.json.more
    }
    expect(found).toEqual(Array.from({ length: 120 }, (_, n) => `m${n + 1}`))
  })

  test('the position is where to follow from: what comes after is what is not folded yet', async () => {
    const { json } = await server.ask('GET', PATH)
    await append({ type: 'message.completed', data: { message: 'late', role: 'user' } })
    const { json: page } = await server.ask(
      'GET',
      `/v1/sessions/chat/events?after=${json.position}`,
    )
    expect(page.events).toMatchObject([{ data: { message: 'late' } }])
    expect(ids(await server.ask('GET', `${PATH}?limit=1`))).toEqual(['late'])
  })

  test('a message that was never there gives no page', async () => {
    const { status, json } = await server.ask('GET', `${PATH}?before=nope`)
    expect({ status, code: json.code }).toEqual({ status: 404, code: 'message_not_found' })
  })

  test('a page of large messages is cut, never a message', async () => {
    await server.ask('PUT', '/v1/sessions/large')
    for (let n = 0; n < 30; n++) {
      const parts = [{ type: 'text', text: 'a'.repeat(60_000) }]
      const body = { type: 'message.completed', data: { message: `l${n}`, role: 'user', parts } }
      await server.ask('POST', '/v1/sessions/large/events', { body })
    }
    const answered = await server.ask('GET', '/v1/sessions/large/messages')
    expect(answered.json.more).toBe(true)
    expect(ids(answered).at(-1)).toBe('l29')
    expect(ids(answered).length).toBeLessThan(20)
    expect(ids(answered).length).toBeGreaterThan(10)
  })

  test('a session without messages has an empty page and a position', async () => {
    const { json: made } = await server.ask('PUT', '/v1/sessions/empty')
    const { json } = await server.ask('GET', '/v1/sessions/empty/messages')
    expect(json).toMatchObject({ messages: [], position: made.head, more: false })
  })
})

describe('[P-16.4] one path of a session with branches', () => {
  const TREE = '/v1/sessions/tree/messages'
  const say = (message: string, parent: string | null, role = 'assistant'): Promise<Answered> =>
    server.ask('POST', '/v1/sessions/tree/events', {
      body: { type: 'message.completed', data: { message, role, parent } },
    })
  const read = (query: string): Promise<Answered> => server.ask('GET', `${TREE}?${query}`)
  const path = async (query: string): Promise<string[]> => ids(await read(query))

  beforeAll(async () => {
    await server.ask('PUT', '/v1/sessions/tree')
    await say('u1', null, 'user')
    for (const answer of ['a1', 'a2', 'a3']) await say(answer, 'u1')
    await say('u2', 'a1', 'user')
    await say('a4', 'u2')
    await say('u3', 'a2', 'user')
  })

  test('[S3-12] is the active one: through the message that is named, or through the latest', async () => {
    expect(await path('branch=latest')).toEqual(['u1', 'a2', 'u3'])
    expect(await path('branch=a1')).toEqual(['u1', 'a1', 'u2', 'a4'])
    expect(await path('branch=a3')).toEqual(['u1', 'a3'])
    const { json } = await read('branch=a1')
    expect(json).toMatchObject({ more: false, rest: { tip: 'u3' } })
    expect(json.messages[1]).toMatchObject({ id: 'a1', parent: 'u1', status: 'completed' })
  })

  test('[S3-11] is that to a message: what its answer may know; and without a path all are listed [R20]', async () => {
    expect(await path('to=u2')).toEqual(['u1', 'a1', 'u2'])
    expect(await path('to=u1')).toEqual(['u1'])
    expect(await path('limit=50')).toEqual(['u1', 'a1', 'a2', 'a3', 'u2', 'a4', 'u3'])
  })

  test('comes in pages like all of them', async () => {
    const last = await read('branch=a1&limit=2')
    expect([ids(last), last.json.more]).toEqual([['u2', 'a4'], true])
    const next = await read('to=a4&limit=2&before=u2')
    expect([ids(next), next.json.more]).toEqual([['u1', 'a1'], false])
  })

  test.for([
    ['branch=nope', 404, 'message_not_found'],
    ['to=nope', 404, 'message_not_found'],
    ['to=latest', 404, 'message_not_found'],
    ['branch=a1&before=a2', 404, 'message_not_found'],
    ['branch=', 404, 'message_not_found'],
    ['branch=a1&to=a1', 400, 'invalid_request'],
    ['branch=a1&branch=a2', 400, 'duplicate_param'],
  ] as const)('%s is refused', async ([query, status, code]) => {
    const { json } = await read(query)
    expect([json.status, json.code]).toEqual([status, code])
  })

  test('`latest` is the latest, also where a message has that very id', async () => {
    await server.ask('PUT', '/v1/sessions/named')
    for (const [message, role] of [
      ['latest', 'assistant'],
      ['other', 'assistant'],
    ]) {
      const body = { type: 'message.completed', data: { message, role, parent: null, parts: [] } }
      await server.ask('POST', '/v1/sessions/named/events', { body })
    }
    const { json } = await server.ask('GET', '/v1/sessions/named/messages?branch=latest')
    expect(json).toMatchObject({ messages: [{ id: 'other' }] })
  })

  test('is empty where nothing was said, and goes on over what was deleted', async () => {
    await server.ask('PUT', '/v1/sessions/silent')
    const { json } = await server.ask('GET', '/v1/sessions/silent/messages?branch=latest')
    expect(json).toMatchObject({ messages: [], more: false })
    const body = { type: 'message.deleted', data: { message: 'a1' } }
    await server.ask('POST', '/v1/sessions/tree/events', { body })
    expect(await path('to=u2')).toEqual(['u1', 'a1', 'u2'])
  })

  test('needs the right to read [P-6.2]', async () => {
    const credential = await server.token({ sessions: ['tree'], capabilities: ['subscribe'] })
    const { status } = await server.ask('GET', `${TREE}?branch=latest`, { credential })
    expect(status).toBe(403)
  })
})
