import type { Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { fold } from '../agent/support/folded.ts'
import { until } from '../support/until.ts'
import { agUi, asLines, asSse, FORMS, NDJSON, SSE, text, TEXT, uiChunks } from './format-samples.ts'
import { startHttp, type Answered, type HttpServer } from './http-server.ts'
import { StreamWriter } from './stream-writer.ts'

let server: HttpServer
let path = ''
let made = 0

beforeAll(async () => {
  server = await startHttp({ httpLimits: { lingerMs: 100 }, limits: { maxEventBytes: 8192 } })
})

beforeEach(async () => {
  path = `/v1/sessions/formats-${++made}`
  await server.ask('PUT', path)
  await server.ask('POST', `${path}/runs`, { body: { run: 'r1' } })
})

afterAll(() => server?.close())

interface Say {
  readonly query?: string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

const say = (type: string, raw: BodyInit, { query = '', key, headers }: Say = {}) =>
  server.ask('POST', `${path}/runs/r1/events${query}`, {
    raw,
    headers: {
      'content-type': type,
      'run-epoch': '1',
      ...(key !== undefined && { 'idempotency-key': key }),
      ...headers,
    },
  })

/** A body that goes on until the test ends it. */
const writerOf = (type: string, query = '', headers = {}): StreamWriter =>
  new StreamWriter(server.port, `${path}/runs/r1/events${query}`, type, headers)

/** A body that arrives as these bytes. */
const inPieces = (bytes: Uint8Array, size: number): ReadableStream =>
  new ReadableStream({
    start(controller) {
      for (let from = 0; from < bytes.length; from += size) {
        controller.enqueue(bytes.slice(from, from + size))
      }
      controller.close()
    },
  })

const refused = ({ status, json }: Answered) => [status, json.code]
const acks = ({ text }: Answered) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown> & { error?: { code: string } })

interface Shown {
  readonly id: string
  readonly status: string
  readonly parts: readonly unknown[]
  readonly metadata: object
}

async function messages(): Promise<Shown[]> {
  const { json } = await server.ask('GET', `${path}/messages`)
  return json.messages
}

async function told(): Promise<{ type: string; id: string; by: object; data: object }[]> {
  const { json } = await server.ask('GET', `${path}/events?after=2&limit=1000`)
  return json.events
}

const contentOf = (message: Partial<Shown> | undefined) => ({
  status: message?.status,
  parts: message?.parts,
  metadata: message?.metadata,
})

describe('[P-10.13] what a framework streams is appended as it is', () => {
  test.for(FORMS)(
    '%s fold to the very message that the SDK makes of them, however the bytes arrive (S3-01)',
    async ([, type, query, chunks, raw]) => {
      const { message } = await fold(chunks)
      const bytes = Buffer.from(raw)
      const sizes = [1, 7, 64, bytes.length]
      for (const [index, size] of sizes.entries()) {
        for (const key of [undefined, `k${index}`]) {
          const named = `${query}${query === '' ? '?' : '&'}message=m${index}${key ?? ''}`
          const answer = await say(type, inPieces(bytes, size), {
            query: named,
            ...(key !== undefined && { key }),
          })
          expect(answer.status).toBe(200)
        }
      }
      const all = await messages()
      expect(all).toHaveLength(2 * sizes.length)
      for (const one of all) expect(contentOf(one)).toEqual(contentOf(message))
      expect(message?.status).toBe('completed')
    },
  )

  test.for(FORMS)(
    '[P-16.6] %s follow what the request names as the parent: a message, or none',
    async ([, type, query, , raw]) => {
      const join = query === '' ? '?' : '&'
      const parents = ['', '&parent=a', '&parent=gone', '&parent=']
      for (const [index, parent] of parents.entries()) {
        const named = `${query}${join}message=${'abcd'[index]}${parent}`
        expect((await say(type, raw, { query: named })).status).toBe(200)
      }
      const { json } = await server.ask('GET', `${path}/messages`)
      const placed = json.messages.map(({ id, parent }: Record<string, unknown>) => [id, parent])
      expect(placed).toEqual([
        ['a', null],
        ['b', 'a'],
        ['c', 'gone'],
        ['d', null],
      ])
    },
  )

  test('a parent that is no id, or that is none of a format, is refused', async () => {
    const bad = await say(TEXT, 'Hello', { query: '?parent=a%20b' })
    expect(refused(bad)).toEqual([400, 'invalid_request'])
    const event = JSON.stringify({ type: 'x.a', data: {} })
    expect(refused(await say(NDJSON, event, { query: '?parent=a' }))).toEqual([
      400,
      'invalid_request',
    ])
    expect(await messages()).toEqual([])
  })

  test('it is written in the name of the run, and acknowledged by lines that say how much stands', async () => {
    const answer = await say(SSE, asSse(uiChunks), { query: '?format=ui-message-chunks' })
    expect(answer.headers.get('content-type')).toBe(NDJSON)
    const last = acks(answer).at(-1)
    const events = (await told()).filter(({ type }) => type.startsWith('message.'))
    expect(last).toMatchObject({ durability: 'memory', lines: uiChunks.length })
    expect(acks(answer).reduce((sum, { count }) => sum + Number(count), 0)).toBe(events.length)
    for (const { by } of events) expect(by).toEqual({ subject: 'key:agent', run: 'r1' })
    expect(events.at(-1)).toMatchObject({ type: 'message.completed' })
  })

  test('the message has the id that the framework gives, else one of the run and the key; the request may name it', async () => {
    const delta = { type: 'text-delta', id: '0', delta: 'a' }
    const query = '?format=ui-message-chunks'
    await say(NDJSON, asLines(uiChunks), { query })
    await say(NDJSON, asLines(agUi), { query: '?format=ag-ui' })
    await say(NDJSON, asLines([{ type: 'start', messageId: 'of/their form' }, delta]), { query })
    await say(NDJSON, asLines([{ type: 'start' }, delta]), { query, key: 'k' })
    await say(NDJSON, asLines(uiChunks), { query: `${query}&message=mine` })
    await say(TEXT, 'a')
    const ids = (await messages()).map(({ id }) => id)
    expect(ids.slice(0, -1)).toEqual(['theirs', 'a', 'of_their_form', 'r1.k', 'mine'])
    expect(ids.at(-1)).toMatch(/^r1\.[\w-]{16}$/)
    expect(refused(await say(NDJSON, asLines(uiChunks), { query }))).toEqual([
      409,
      'message_exists',
    ])
  })

  test('text comes through as it is written, long before its end', async () => {
    const writer = writerOf(TEXT)
    writer.send('There are')
    await writer.untilEvents(2)
    expect((await messages())[0]).toMatchObject({ status: 'open', parts: [{ text: 'There are' }] })
    writer.send(' två.')
    await writer.untilEvents(3)
    writer.end()
    await writer.raw.untilText('\r\n0\r\n\r\n')
    expect((await messages())[0]).toMatchObject({
      status: 'completed',
      parts: [{ text: 'There are två.' }],
    })
  })

  test('text that comes at once is as few events as can hold it', async () => {
    const long = '\u0007茶👀'.repeat(4000)
    const answer = await say(TEXT, long)
    expect([answer.status, acks(answer).at(-1)?.error]).toEqual([200, undefined])
    expect(await messages()).toMatchObject([{ status: 'completed', parts: [{ text: long }] }])
    const chunks = Array.from({ length: 40 }, () => ({
      type: 'text-delta',
      id: '0',
      delta: long.slice(0, 400),
    }))
    const events = await say(NDJSON, asLines(chunks), { query: '?format=ui-message-chunks' })
    const count = acks(events).reduce((sum, ack) => sum + Number(ack['count']), 0)
    expect(count).toBeLessThan(40)
  })

  test('server-sent events are read by their rules: names, comments, data of several lines, any end of line, a last one without its end', async () => {
    const raw = [
      '\uFEFF: hello\r\n',
      'event: message\r\nid: 1\r\nretry: 5\r\ndata:{"type":"text-delta",\r\n',
      'data: "id":"0","delta":"a"}\r\n\r\n\n\n',
      ':\n\ndata\n\n',
      'data: {"type":"text-delta","id":"0","delta":"b"}',
    ].join('')
    for (const size of [1, raw.length * 4]) {
      const body = inPieces(Buffer.from(raw), size)
      const answer = await say(SSE, body, { query: `?format=ui-message-chunks&message=m${size}` })
      expect([answer.status, acks(answer).at(-1)?.['lines']]).toEqual([200, 2])
    }
    for (const { parts } of await messages()) expect(parts).toMatchObject([{ text: 'ab' }])
  })

  test('a stream that tells of its failure, or that it was stopped, ends its message so', async () => {
    const chunks = [
      { type: 'text-delta', id: '0', delta: 'half' },
      { type: 'error', errorText: 'no more' },
      { type: 'text-delta', id: '0', delta: 'never' },
    ]
    await say(NDJSON, asLines(chunks), { query: '?format=ui-message-chunks&message=a' })
    const stopped = [chunks[0], { type: 'abort', reason: 'enough' }]
    await say(NDJSON, asLines(stopped), { query: '?format=ui-message-chunks&message=b' })
    const failed = await fold(chunks)
    const cut = await fold(stopped)
    const [a, b] = await messages()
    expect([a?.status, b?.status]).toEqual(['failed', 'interrupted'])
    expect(contentOf(a)).toEqual(contentOf(failed.message))
    expect(contentOf(b)).toEqual(contentOf(cut.message))
  })

  test('a step that is tried again takes back what it wrote, as the SDK does', async () => {
    const chunks = [
      { type: 'start-step' },
      { type: 'text-delta', id: '0', delta: 'kept' },
      { type: 'start-step' },
      { type: 'text-delta', id: '0', delta: 'taken back' },
      { type: 'reset-step' },
      { type: 'text-delta', id: '0', delta: ' and told anew' },
    ]
    await say(NDJSON, asLines(chunks), { query: '?format=ui-message-chunks' })
    const { message } = await fold(chunks)
    expect(contentOf((await messages())[0])).toEqual(contentOf(message))
    expect(message?.parts).toMatchObject([
      { type: 'step-start' },
      { text: 'kept' },
      { type: 'step-start' },
      { text: ' and told anew' },
    ])
  })

  test('chunks that say nothing that is kept are acknowledged by no line', async () => {
    const answer = await say(NDJSON, asLines([{ type: 'start' }, { type: 'finish' }]), {
      query: '?format=ui-message-chunks',
    })
    expect([answer.status, answer.text]).toEqual([200, ''])
    expect(await messages()).toEqual([])
  })
})

describe('[P-10.13] a retry with the same key', () => {
  test.for(FORMS)(
    'of %s goes on where the first one was cut, and says nothing twice',
    async ([, type, query, chunks, raw]) => {
      const { message } = await fold(chunks)
      const bytes = Buffer.from(raw)
      const first = writerOf(type, query, { 'Idempotency-Key': 'k' })
      // In the middle of a line, and of a character where it comes to that.
      first.sendBytes(bytes.subarray(0, Math.floor(bytes.length / 2)))
      await until('something of it is there', async () => (await told()).length > 0)
      first.raw.close()
      expect((await messages())[0]?.status).toBe('open')

      const again = await say(type, inPieces(bytes, 11), { query, key: 'k' })
      expect([again.status, acks(again).at(-1)?.error]).toEqual([200, undefined])
      const whole = await messages()
      expect(whole).toHaveLength(1)
      expect(contentOf(whole[0])).toEqual(contentOf(message))

      const events = await told()
      const third = await say(type, raw, { query, key: 'k' })
      expect(third.status).toBe(200)
      expect(await told()).toEqual(events)
      const ids = events.map(({ id }) => id).filter((id) => id.startsWith('k:'))
      expect(ids).toEqual(ids.map((_, index) => `k:${index}`))
    },
  )

  test('of a body of thousands of events recognises each of them, and no commit is larger than a request may be', async () => {
    const long = 'word '.repeat(2500)
    for (const sent of [long, inPieces(Buffer.from(long), 777)]) {
      const answer = await say(TEXT, sent, { key: 'k' })
      for (const { count } of acks(answer)) expect(Number(count)).toBeLessThanOrEqual(1000)
      expect(acks(answer).reduce((sum, { count }) => sum + Number(count), 0)).toBe(2502)
    }
    expect(await messages()).toMatchObject([{ status: 'completed', parts: [{ text: long }] }])
  })

  test('with other text is refused, and what was said stands', async () => {
    await say(TEXT, 'one two ', { key: 'k' })
    const answer = await say(TEXT, 'one three ', { key: 'k' })
    expect(acks(answer).at(-1)?.error?.code ?? answer.json?.code).toBe('idempotency_conflict')
    expect(await messages()).toMatchObject([{ parts: [{ text: 'one two ' }] }])
  })

  test('and a producer’s seqs do the same', async () => {
    const headers = { 'producer-id': 'p', 'producer-epoch': '1', 'producer-seq': '0' }
    for (const size of [5, 9]) {
      const answer = await say(TEXT, inPieces(Buffer.from(text), size), { headers })
      expect([answer.status, acks(answer).at(-1)?.error]).toEqual([200, undefined])
    }
    const all = await messages()
    expect(all).toMatchObject([{ status: 'completed', parts: [{ text }] }])
  })
})

describe('[P-10.13] what cannot be taken', () => {
  const query = '?format=ui-message-chunks'
  const good = { type: 'text-delta', id: '0', delta: 'stands' }

  test.for([
    ['JSON that is none', '{"type":\n', 'invalid_json'],
    ['a value that is no chunk', '[1]\n', 'invalid_request'],
    ['a chunk of another format', '{"type":"RUN_STARTED"}\n', 'invalid_request'],
    ['an event of ours', '{"type":"x.y","data":1}\n', 'invalid_request'],
    [
      'a line that is too long',
      `{"type":"data-x","data":"${'x'.repeat(10_000)}"}\n`,
      'payload_too_large',
    ],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a]), 'invalid_utf8'],
  ] as const)('%s ends it, and what stands is told', async ([, bad, code]) => {
    const raw = Buffer.concat([Buffer.from(asLines([good, good])), Buffer.from(bad)])
    const answer = await say(NDJSON, raw, { query })
    expect(answer.status).toBe(200)
    expect(acks(answer).at(-1)?.error).toMatchObject({ code, lines: 2 })
    expect((await messages())[0]).toMatchObject({
      status: 'open',
      parts: [{ text: 'standsstands' }],
    })
    // With nothing before it, it is an ordinary refusal.
    expect((await say(NDJSON, Buffer.from(bad), { query })).json.code).toBe(code)
  })

  test('text that is not UTF-8 is refused where it begins to be', async () => {
    const answer = await say(TEXT, inPieces(Buffer.from([0x61, 0x20, 0xc3, 0x28]), 2))
    expect(acks(answer).at(-1)?.error?.code ?? answer.json?.code).toBe('invalid_utf8')
    // Cut in the middle of a character.
    expect(refused(await say(TEXT, Buffer.from([0xc3])))).toEqual([400, 'invalid_utf8'])
  })

  test('lines that are no server-sent events are not passed over in silence', async () => {
    const answer = await say(SSE, asLines([good]), { query })
    expect(refused(answer)).toEqual([400, 'invalid_request'])
  })

  test('a request must say what it brings', async () => {
    expect(refused(await say(SSE, asSse([good])))).toEqual([400, 'invalid_request'])
    expect(refused(await say(NDJSON, asLines([good]), { query: '?format=other' }))[1]).toBe(
      'invalid_request',
    )
    expect(refused(await say(NDJSON, asLines([good]), { query: '?message=m' }))[1]).toBe(
      'invalid_request',
    )
    expect(refused(await say(TEXT, 'a', { query: '?message=a/b' }))[1]).toBe('invalid_request')
    expect(refused(await say(TEXT, 'a', { query: '?format=ag-ui' }))[1]).toBe('unknown_field')
    expect(refused(await say(NDJSON, '\n', { query }))).toEqual([400, 'empty_body'])
    expect(refused(await say(SSE, ': nothing\n\n', { query }))).toEqual([400, 'empty_body'])
    expect(refused(await say(TEXT, ''))).toEqual([400, 'empty_body'])
    expect(refused(await say(TEXT, 'a', { key: 'k'.repeat(111) }))[1]).toBe(
      'invalid_idempotency_key',
    )
    expect(refused(await say('text/plain; charset=latin1', 'a'))).toEqual([
      415,
      'unsupported_media_type',
    ])
    expect(await messages()).toEqual([])
  })

  test('an epoch that another process has taken over, from the start and in the middle [P-10.2]', async () => {
    const writer = writerOf(SSE, query)
    writer.send(asSse([good]))
    await writer.untilEvents(2)
    await server.ask('POST', `${path}/runs/r1/adopt`)
    writer.send(asSse([good]))
    await writer.raw.untilText('run_fenced')
    expect(writer.lines.at(-1)?.error).toMatchObject({ code: 'run_fenced', epoch: 2, lines: 1 })
    expect((await messages())[0]).toMatchObject({ status: 'open', parts: [{ text: 'stands' }] })
    expect(refused(await say(TEXT, 'a'))).toEqual([403, 'run_fenced'])
    expect(refused(await say(TEXT, 'a', { headers: { 'run-epoch': 'x' } }))).toEqual([
      400,
      'invalid_request',
    ])
  })

  test('a run that is cancelled in the middle: its message is interrupted, and nothing follows [P-10.8]', async () => {
    const writer = writerOf(TEXT)
    writer.send('half ')
    await writer.untilEvents(2)
    await server.ask('POST', `${path}/runs/r1/cancel`)
    writer.send('never')
    await writer.raw.untilText('run_over')
    expect(await messages()).toMatchObject([{ status: 'interrupted', parts: [{ text: 'half ' }] }])
  })

  test('a node that goes down says how much stands, so that its sender can go on elsewhere', async () => {
    const other = await startHttp()
    onTestFinished(() => other.close())
    await other.ask('PUT', path)
    await other.ask('POST', `${path}/runs`, { body: { run: 'r1' } })
    const writer = new StreamWriter(other.port, `${path}/runs/r1/events`, TEXT)
    writer.send('half ')
    await writer.untilEvents(2)
    const closing = other.app.close()
    await writer.raw.untilText('draining')
    expect(writer.lines.at(-1)?.error).toMatchObject({ code: 'draining', lines: 1 })
    writer.raw.close()
    await closing
  })

  test('a body whose connection breaks leaves its message open', async () => {
    const sockets: Socket[] = []
    server.app.server.on('connection', (socket) => sockets.push(socket))
    const writer = writerOf(TEXT)
    writer.send('half')
    await writer.untilEvents(2)
    writer.raw.close()
    await until('the server has heard of it', () => sockets[0]?.destroyed === true)
    expect(await messages()).toMatchObject([{ status: 'open', parts: [{ text: 'half' }] }])
  })
})
