import type { Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CommitRequest, Store } from '../../src/core/store.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import { until } from '../support/until.ts'
import { startHttp, type HttpServer } from './http-server.ts'
import { RawHttp, rawRequest } from './raw-http.ts'

let server: HttpServer
let session = ''
let path = ''
let made = 0
/** Holds commits of events while it is set. */
let gate: Promise<void> | null = null
let commits: number[] = []

beforeAll(async () => {
  server = await startHttp({ around: watched, httpLimits: { lingerMs: 100, streams: 3 } })
})

beforeEach(async () => {
  session = `lines-${++made}`
  path = `/v1/sessions/${session}/events`
  await server.ask('PUT', `/v1/sessions/${session}`)
  commits = []
})

afterAll(() => server?.close())

function watched(store: Store): Store {
  const commit = async (request: CommitRequest) => {
    const { length } = request.events ?? []
    if (length > 0 && request.create === undefined) {
      commits.push(length)
      await gate
    }
    return store.commit(request)
  }
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'commit') return commit
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** An append in chunks, open until it is ended. */
class LineWriter {
  readonly raw: RawHttp

  constructor(headers: Readonly<Record<string, string>> = {}, port = server.port) {
    this.raw = new RawHttp(
      port,
      rawRequest(`POST ${path}`, {
        'Content-Type': 'application/x-ndjson',
        'Transfer-Encoding': 'chunked',
        ...headers,
      }),
    )
    onTestFinished(() => this.raw.close())
  }

  send(text: string): void {
    const bytes = Buffer.from(text)
    this.raw.write(
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
    )
  }

  end(): void {
    this.raw.write('0\r\n\r\n')
  }

  /** The lines of the answer that have come. */
  get lines(): readonly {
    first?: number
    last?: number
    count?: number
    lines?: number
    error?: { code: string; lines: number }
  }[] {
    return this.raw.text
      .split('\r\n')
      .filter((line) => line.startsWith('{'))
      .flatMap((line) => line.trim().split('\n'))
      .map((line) => JSON.parse(line) as { lines: number })
  }

  async untilLines(count: number): Promise<void> {
    await until(`${count} lines stand`, () => this.lines.some(({ lines }) => lines === count), {
      withinMs: 8000,
      instead: () => this.raw.text,
    })
  }
}

const line = (n: number | string): string => `{"type":"x.n","data":${n}}\n`
const NDJSON = { 'content-type': 'application/x-ndjson' }
const post = (raw: string, headers = {}) =>
  server.ask('POST', path, { raw, headers: { ...NDJSON, ...headers } })
const linesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one) as Record<string, unknown>)
const dataOf = async (): Promise<unknown[]> =>
  (await server.ask('GET', `${path}?after=1&limit=1000`)).json.events.map(
    ({ data }: { data: unknown }) => data,
  )

describe('[P-9.3] appending lines', () => {
  test('lines are appended and acknowledged as they arrive, however long the body goes on', async () => {
    const writer = new LineWriter()
    for (let n = 1; n <= 5; n++) {
      writer.send(line(n))
      await writer.untilLines(n)
      expect(await dataOf()).toHaveLength(n)
    }
    expect(writer.lines[0]).toMatchObject({
      first: 2,
      last: 2,
      count: 1,
      lines: 1,
      durability: 'memory',
    })
    writer.end()
    await writer.raw.untilText('\r\n0\r\n\r\n')
    expect(await dataOf()).toEqual([1, 2, 3, 4, 5])
  })

  test('acknowledgements ask proxies neither to hold them back nor to compress them', async () => {
    const writer = new LineWriter()
    writer.send('{"type":"x.a"}\n')
    await writer.untilLines(1)
    writer.end()
    expect(writer.raw.text.toLowerCase()).toContain('cache-control: no-store, no-transform\r\n')
    expect(writer.raw.text.toLowerCase()).toContain('x-accel-buffering: no\r\n')
  })

  test('what arrives together is one commit, and what arrives meanwhile is the next', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    const sockets: Socket[] = []
    server.app.server.on('connection', (socket) => sockets.push(socket))
    const writer = new LineWriter()
    writer.send(line(1) + line(2))
    await until('the first commit is under way', () => commits.length === 1)
    const before = sockets[0]?.bytesRead ?? 0
    for (let n = 3; n <= 100; n++) writer.send(line(n))
    await until('the rest is there', () => (sockets[0]?.bytesRead ?? 0) - before > 98 * 24)
    gate = null
    resolve()
    writer.end()
    await writer.untilLines(100)
    expect(commits[0]).toBe(2)
    expect(commits).toEqual([2, 98])
    expect(await dataOf()).toEqual(Array.from({ length: 100 }, (_, n) => n + 1))
  })

  /** A body of which a commit is under way, and how that is let go on: or fail. */
  async function writerUnderWay(
    headers: Readonly<Record<string, string>> = {},
    port = server.port,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    promise.catch(() => undefined)
    gate = promise
    onTestFinished(() => void (gate = null))
    const sockets: Socket[] = []
    server.app.server.on('connection', (socket) => sockets.push(socket))
    const writer = new LineWriter(headers, port)
    writer.send(line(1))
    await until('the first commit is under way', () => commits.length === 1)
    const read = () => sockets[0]?.bytesRead ?? 0
    const sendBehind = async (text: string): Promise<void> => {
      const before = read()
      writer.send(text)
      await until('it is read', () => read() >= before + text.length)
    }
    const end = (how: () => void) => {
      gate = null
      how()
    }
    return {
      writer,
      read,
      sendBehind,
      goOn: () => end(resolve),
      fail: (error: Error) => end(() => reject(error)),
    }
  }

  test('what was read behind a commit that failed does not stand, and is not claimed', async () => {
    const { writer, sendBehind, fail } = await writerUnderWay()
    await sendBehind(line(2) + line(3))
    fail(new HeldlineError('store_unavailable', 'unable to write'))
    await writer.raw.untilText('store_unavailable')
    await writer.raw.untilEnd()
    expect(writer.raw.text).toMatch(/"lines":0\b/)
    expect(commits).toEqual([1])
    expect(await dataOf()).toEqual([])
  })

  test('what still comes when a commit has failed is read and thrown away, so that its sender hears of it', async () => {
    const other = await startHttp({ around: watched, httpLimits: { lingerMs: 60_000 } })
    onTestFinished(() => other.close())
    await other.ask('PUT', `/v1/sessions/${session}`)
    const sockets: Socket[] = []
    other.app.server.on('connection', (socket) => sockets.push(socket))
    const { writer, fail } = await writerUnderWay({}, other.port)
    fail(new HeldlineError('store_unavailable', 'unable to write'))
    await writer.raw.untilText('store_unavailable')
    for (let n = 0; n < 400; n++) writer.send(line(`"${'a'.repeat(10_000)}"`))
    await until('all of it is read', () => (sockets.at(-1)?.bytesRead ?? 0) > 4_000_000)
    expect(commits).toEqual([1])
  })

  test('no more is read behind a commit than is worth one', async () => {
    const { writer, read, goOn } = await writerUnderWay()
    for (let n = 0; n < 400; n++) writer.send(line(`"${'a'.repeat(10_000)}"`))
    await until('some of it is read', () => read() > 50_000)
    for (let n = 0; n < 20; n++) await server.ask('GET', `/v1/sessions/${session}`)
    expect(read()).toBeLessThan(1_000_000)
    goOn()
    await writer.untilLines(401)
    expect(Math.max(...commits)).toBeLessThan(50)
  })

  test('a mistake that is read behind a commit is told once what is before it stands', async () => {
    const { writer, sendBehind, goOn } = await writerUnderWay()
    await sendBehind(`${line(2)}{"type":"nope"}\n${line(3)}`)
    goOn()
    await writer.untilLines(2)
    await writer.raw.untilText('unknown_type')
    expect(writer.lines.at(-1)).toMatchObject({ error: { code: 'unknown_type', lines: 2 } })
    expect(await dataOf()).toEqual([1, 2])
  })

  test('lines read behind a commit have the ids of their numbers', async () => {
    const headers = { 'Idempotency-Key': 'ahead-1' }
    const { writer, sendBehind, goOn } = await writerUnderWay(headers)
    await sendBehind(line(2) + line(3))
    goOn()
    await writer.untilLines(3)
    writer.end()
    await post(line(1) + line(2) + line(3) + line(4), { 'idempotency-key': 'ahead-1' })
    expect(await dataOf()).toEqual([1, 2, 3, 4])
  })

  test('a line may come in any pieces, with CRLF, blank lines, and no newline at the end', async () => {
    const writer = new LineWriter()
    const text = `${line('"é"').trim()}\r\n\n  \n${line(2)}${line(3).trim()}`
    for (const byte of Buffer.from(text))
      writer.raw.write(
        Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]),
      )
    writer.end()
    await writer.untilLines(3)
    expect(await dataOf()).toEqual(['é', 2, 3])
  })

  test('more than 1,000 lines at once are several commits', async () => {
    const { status, text } = await post(Array.from({ length: 2500 }, (_, n) => line(n)).join(''))
    expect(status).toBe(200)
    expect(linesOf(text).at(-1)).toMatchObject({ lines: 2500, last: 2501 })
    expect(Math.max(...commits)).toBeLessThanOrEqual(1000)
  })

  test('an error is the last line and names how many lines stand', async () => {
    const { status, text } = await post(`${line(1)}${line(2)}{"type":"nope"}\n${line(4)}`)
    expect(status).toBe(200)
    expect(linesOf(text)).toMatchObject([
      { first: 2, last: 3, count: 2, lines: 2 },
      { error: { code: 'unknown_type', lines: 2, status: 400, retryable: false } },
    ])
    expect(await dataOf()).toEqual([1, 2])
  })

  test('an error before anything stands is an answer like any other', async () => {
    const { status, json } = await post(`{"type":"x.a"\n${line(2)}`)
    expect(status).toBe(400)
    expect(json).toMatchObject({ code: 'invalid_json', lines: 0 })
    expect((await post('')).json).toMatchObject({ code: 'empty_body' })
    expect((await post('\n\n')).json).toMatchObject({ code: 'empty_body' })
  })

  test.for([
    [
      'a line over its limit',
      `{"type":"x.a","data":"${'a'.repeat(70_000)}"}\n`,
      'payload_too_large',
    ],
    ['a duplicate key', '{"type":"x.a","type":"x.a"}\n', 'duplicate_key'],
    ['an unknown field', '{"type":"x.a","seq":1}\n', 'unknown_field'],
    ['an array', '[{"type":"x.a"}]\n', 'invalid_request'],
    ['nesting', `{"type":"x.a","data":${'['.repeat(40)}${']'.repeat(40)}}\n`, 'too_deep'],
  ] as const)('%s is refused', async ([, text, code]) => {
    const { text: answer } = await post(line(1) + text)
    expect(linesOf(answer).at(-1)).toMatchObject({ error: { code, lines: 1 } })
  })

  test('a line that never ends is refused while it comes', async () => {
    const writer = new LineWriter()
    writer.send(line(1))
    await writer.untilLines(1)
    for (let n = 0; n < 10; n++) writer.send('a'.repeat(10_000))
    await writer.raw.untilText('payload_too_large')
    await writer.raw.untilEnd()
  })

  test('a client that breaks off leaves what was acknowledged, and no half a line', async () => {
    const writer = new LineWriter()
    writer.send(line(1))
    await writer.untilLines(1)
    writer.send('{"type":"x.n","data":2}')
    writer.raw.close()
    await until('the stream is over', () => server.app.server.listening && commits.length === 1)
    expect(await dataOf()).toEqual([1])
    expect(server.errors()).toEqual([])
  })

  test('producer headers count events, so a retry of the whole body stands once', async () => {
    const headers = { 'producer-id': 'p', 'producer-epoch': '1', 'producer-seq': '10' }
    await post(line(1) + line(2), headers)
    const { text } = await post(line(1) + line(2) + line(3), headers)
    const lines = linesOf(text)
    expect(lines.at(-1)).toMatchObject({ lines: 3, last: 4 })
    expect(await dataOf()).toEqual([1, 2, 3])
    const { json } = await post(line(9), { ...headers, 'producer-seq': '99' })
    expect(json).toMatchObject({ code: 'producer_gap', expected: 13, lines: 0 })
  })

  test('an Idempotency-Key recognises lines by their number, however they were batched', async () => {
    const headers = { 'idempotency-key': 'upload-1' }
    const writer = new LineWriter({ 'Idempotency-Key': 'upload-1' })
    writer.send(line(1))
    await writer.untilLines(1)
    writer.send(line(2))
    await writer.untilLines(2)
    writer.raw.close()
    await post(line(1) + line(2) + line(3), headers)
    expect(await dataOf()).toEqual([1, 2, 3])
    const { json } = await post(line(7), headers)
    expect(json.code).toBe('idempotency_conflict')
  })

  test('rights are those of each line', async () => {
    const credential = await server.token({ sessions: ['lines-*'], capabilities: ['send'] })
    const text = `${line(1)}{"type":"message.deleted","data":{"message":"m"}}\n`
    const answered = await server.ask('POST', path, { raw: text, headers: NDJSON, credential })
    expect(linesOf(answered.text).at(-1)).toMatchObject({ error: { code: 'forbidden', lines: 1 } })
  })

  test('a body that waits is told when the node goes down', async () => {
    const other = await startHttp({ httpLimits: { lingerMs: 50 } })
    await other.ask('PUT', '/v1/sessions/s1')
    const raw = new RawHttp(
      other.port,
      rawRequest(
        'POST /v1/sessions/s1/events',
        { 'Content-Type': 'application/x-ndjson', 'Transfer-Encoding': 'chunked' },
        `18\r\n${line(1)}\r\n`,
      ),
    )
    await raw.untilText('"lines":1')
    await other.app.close()
    await raw.untilText('"code":"draining"')
    await raw.untilEnd()
    await other.close()
  })

  test('streams are bounded in number', async () => {
    const open = Array.from({ length: 3 }, () => new LineWriter())
    for (const writer of open) writer.send(line(1))
    for (const writer of open) await writer.untilLines(1)
    const { status, json, headers } = await post(line(1))
    expect({ status, code: json.code }).toEqual({ status: 503, code: 'connection_limit' })
    expect(headers.get('retry-after')).toBe('1')
    for (const writer of open) writer.end()
    await until('there is room again', async () => (await post(line(1))).status === 200)
  })

  test('a body with a length is taken too', async () => {
    const { text } = await post(line(1))
    expect(linesOf(text)).toMatchObject([{ count: 1, lines: 1 }])
  })
})
