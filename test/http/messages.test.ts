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
