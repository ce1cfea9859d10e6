import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { KEY, startHttp, type Answered, type HttpServer } from './http-server.ts'
import { RawHttp } from './raw-http.ts'

let server: HttpServer
let session = ''
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp()
})

beforeEach(async () => {
  session = `append-${++made}`
  path = `/v1/sessions/${session}/events`
  await server.ask('PUT', `/v1/sessions/${session}`)
})

afterAll(() => server?.close())

const append = (body: unknown, headers = {}): Promise<Answered> =>
  server.ask('POST', path, { body, headers })
const head = async (): Promise<number> =>
  Number((await server.ask('GET', `/v1/sessions/${session}`)).json.head.split('.')[1])

describe('[P-9.3] appending JSON', () => {
  test('one event is answered like an ack', async () => {
    const { status, json } = await append({ type: 'x.note', data: { a: 1 } })
    expect(status).toBe(200)
    expect(json).toEqual({
      session,
      epoch: expect.stringMatching(/^[\w-]{10}$/),
      first: 2,
      last: 2,
      duplicates: 0,
      durability: 'memory',
    })
  })

  test('a body says the same with its headers, behind them, in pieces and in chunks, time after time on one connection', async () => {
    const body = '{"type":"x.note","data":{"a":"\u00e9"}}'
    const bytes = Buffer.from(body)
    const begin = `POST ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${KEY}\r\nContent-Type: application/json\r\n`
    const sized = `${begin}Content-Length: ${bytes.length}\r\n\r\n`
    const chunked = `${begin}Transfer-Encoding: chunked\r\n\r\n${bytes.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    // The cut goes through a character.
    const [first, second] = [bytes.subarray(0, 31), bytes.subarray(31)]
    const ways = [
      [Buffer.concat([Buffer.from(sized), bytes])],
      [sized, bytes],
      [Buffer.concat([Buffer.from(sized), first]), second],
      [sized, first, second],
      [chunked],
    ]
    const client = new RawHttp(server.port)
    onTestFinished(() => client.close())
    for (const pieces of [...ways, ...ways]) {
      for (const piece of pieces) {
        client.write(piece)
        // By then the server has what was sent before.
        await server.ask('GET', '/livez')
      }
      expect((await client.answer()).status).toBe(200)
    }
    // Two at once: neither waits for the other’s answer.
    client.write(Buffer.concat([Buffer.from(sized), bytes, Buffer.from(sized), bytes]))
    expect([(await client.answer()).status, (await client.answer()).status]).toEqual([200, 200])
    const { events } = (await server.ask('GET', `${path}?after=1`)).json
    expect(events.map(({ data }: { data: unknown }) => data)).toEqual(
      Array.from({ length: 12 }, () => ({ a: '\u00e9' })),
    )
  })

  test('an array has neighbouring serials, in order', async () => {
    const events = Array.from({ length: 1000 }, (_, n) => ({ type: 'x.note', data: n }))
    const { json } = await append(events)
    expect(json).toMatchObject({ first: 2, last: 1001 })
    const { json: page } = await server.ask('GET', `${path}?after=1&limit=1000`)
    expect(page.events.map(({ data }: { data: number }) => data)).toEqual(events.map((e) => e.data))
  })

  test('[P-2.4] an array with one bad event appends none of them, and says which it is', async () => {
    const { status, json } = await append([{ type: 'x.a' }, { type: 'nope' }, { type: 'x.b' }])
    expect(status).toBe(400)
    expect(json).toMatchObject({ code: 'unknown_type', index: 1 })
    expect(await head()).toBe(1)
  })

  test('[P-2.1] data is kept byte for byte', async () => {
    const data = '{ "b": 1.0,\n\t"a": [1e3, -0, "\\u00e9é"] , "a" : null}'
    const raw = `{"type":"x.a","data":${data}}`
    await server.ask('POST', path, { raw, headers: { 'content-type': 'application/json' } })
    const { text } = await server.ask('GET', `${path}?after=1`)
    expect(text).toContain(`"data":${data}}`)
  })

  test('an event without data has null', async () => {
    await append({ type: 'x.a' })
    const { json } = await server.ask('GET', `${path}?after=1`)
    expect(json.events[0].data).toBeNull()
  })

  test('[P-2.5] the same id again changes nothing, and with other content it is a conflict', async () => {
    const event = { type: 'x.note', id: 'e1', data: 1 }
    const one = await append(event)
    const two = await append(event)
    expect(two.json).toMatchObject({ first: one.json.first, last: one.json.last, duplicates: 1 })
    const three = await append({ ...event, data: 2 })
    expect(three.json).toMatchObject({ code: 'idempotency_conflict', serial: one.json.first })
    expect(three.status).toBe(422)
    expect(await head()).toBe(2)
  })

  test('[P-2.5] an Idempotency-Key does the same for a request as a whole', async () => {
    const headers = { 'idempotency-key': 'k1' }
    const one = await append([{ type: 'x.a' }, { type: 'x.b' }], headers)
    const two = await append([{ type: 'x.a' }, { type: 'x.b' }], headers)
    expect(two.json).toMatchObject({ first: one.json.first, last: one.json.last, duplicates: 2 })
    const three = await append([{ type: 'x.a' }, { type: 'x.c' }], headers)
    expect(three.json.code).toBe('idempotency_conflict')
    expect(await head()).toBe(3)
  })

  test('a batch that is known in part is answered event by event', async () => {
    await append([{ type: 'x.a', id: 'a' }])
    const { json } = await append([
      { type: 'x.b', id: 'b' },
      { type: 'x.a', id: 'a' },
    ])
    expect(json).toMatchObject({ serials: [3, 2], duplicates: 1 })
  })

  test('[P-2.6] a producer’s seqs are accepted once, in order, and a lower epoch is fenced', async () => {
    const send = (seq: number, epoch = 1): Promise<Answered> =>
      append([{ type: 'x.a', data: seq }, { type: 'x.b' }], {
        'producer-id': 'p1',
        'producer-epoch': String(epoch),
        'producer-seq': String(seq),
      })
    expect((await send(0)).json).toMatchObject({ first: 2, last: 3 })
    expect((await send(0)).json).toMatchObject({ first: 2, last: 3, duplicates: 2 })
    const gap = await send(5)
    expect({ status: gap.status, json: gap.json }).toMatchObject({
      status: 409,
      json: { code: 'producer_gap', expected: 2 },
    })
    expect((await send(2)).json).toMatchObject({ first: 4, last: 5 })
    expect((await send(9, 2)).json).toMatchObject({ first: 6, last: 7 })
    const fenced = await send(4)
    expect({ status: fenced.status, code: fenced.json.code }).toEqual({
      status: 403,
      code: 'producer_fenced',
    })
  })

  test('[P-6.2] with send alone: one’s own messages and x.*, and nothing else', async () => {
    const credential = await server.token({ sessions: ['append-*'], capabilities: ['send'] })
    const send = async (body: unknown): Promise<number> =>
      (await server.ask('POST', path, { body, credential })).status
    const mine = { message: 'm1', role: 'user', parts: [{ type: 'text', text: 'hi' }] }
    expect(await send({ type: 'x.typing' })).toBe(200)
    expect(await send({ type: 'message.completed', data: mine })).toBe(200)
    expect(await send({ type: 'message.started', data: { message: 'm2', role: 'user' } })).toBe(200)
    const forbidden = [
      { type: 'message.started', data: { message: 'm3', role: 'assistant' } },
      { type: 'message.completed', data: { message: 'm3', role: 'system' } },
      { type: 'message.completed', data: { message: 'm2' } },
      { type: 'message.delta', data: { message: 'm2', text: 'x' } },
      { type: 'message.replaced', data: { message: 'm1', parts: [] } },
      { type: 'message.deleted', data: { message: 'm1' } },
    ]
    for (const event of forbidden) expect(await send([{ type: 'x.a' }, event])).toBe(403)
    expect(await head()).toBe(4)
  })

  test('[P-6.2] with send alone, a message that is there is never touched, not even by completing it', async () => {
    await append({ type: 'message.started', data: { message: 'answer', role: 'assistant' } })
    await append({ type: 'message.delta', data: { message: 'answer', text: 'The truth' } })
    const credential = await server.token({ sessions: ['append-*'], capabilities: ['send'] })
    const parts = [{ type: 'text', text: 'a lie' }]
    const body = { type: 'message.completed', data: { message: 'answer', role: 'user', parts } }
    const { status, json } = await server.ask('POST', path, { body, credential })
    expect({ status, code: json.code }).toEqual({ status: 409, code: 'message_exists' })
    const { json: page } = await server.ask('GET', `/v1/sessions/${session}/messages`)
    expect(page.messages).toMatchObject([{ status: 'open', parts: [{ text: 'The truth' }] }])
    expect((await append(body)).status).toBe(200)
  })
})
