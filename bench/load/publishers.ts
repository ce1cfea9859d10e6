import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { DIALECTS } from './dialects.ts'
import { good, HttpConnection, requestBytes } from './http.ts'
import { natsFrames, openNats, publication, STREAM } from './nats.ts'
import { API_KEY, payload, PAYLOAD_BYTES, type Target } from './target.ts'

/** Keeps a number of appends waiting until it is stopped. */
export interface Publisher {
  /** Sends so many events, and waits for their answers; instead of start and stop. */
  send(events: number): Promise<void>
  /** Events that the server has acknowledged. */
  readonly acked: number
  /** Requests, frames or lines that were answered. */
  readonly answers: number
  start(): Promise<void>
  /** Sends no more, and waits for the answers that are due. @throws what went wrong at any time */
  stop(): Promise<void>
}

const DATA = payload('', PAYLOAD_BYTES)
export const EVENT = `{"type":"x.bench","data":${DATA}}`
const STOP_WITHIN_MS = 15_000

/** Counts what is under way; every publisher stops in the same way. */
abstract class Base implements Publisher {
  acked = 0
  answers = 0
  protected underWay = 0
  #stopping = false
  #sent = 0
  #limit = Infinity
  #error: Error | null = null
  #idle: (() => void) | null = null

  abstract start(): Promise<void>
  protected abstract close(): void

  /** Sends so many and no more, and waits for their answers. */
  async send(events: number): Promise<void> {
    this.#limit = events
    await this.start()
    await this.stop(false)
  }

  /** Whether to send another; counts it. */
  protected take(events = 1): boolean {
    if (this.#stopping || this.#error !== null || this.#sent >= this.#limit) return false
    this.#sent += events
    this.underWay++
    return true
  }

  protected get sent(): number {
    return this.#sent
  }

  protected answered(events: number): void {
    this.acked += events
    this.answers++
    this.underWay--
    if (this.underWay <= 0) this.#idle?.()
  }

  protected fail(error: Error): void {
    this.#error ??= error
    this.#idle?.()
  }

  async stop(now = true): Promise<void> {
    this.#stopping = now
    if (this.underWay > 0 && this.#error === null) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#idle = resolve
        timer = setTimeout(() => {
          this.fail(new Error(`${this.underWay} appends were not answered in time`))
        }, STOP_WITHIN_MS)
      })
      clearTimeout(timer)
    }
    this.close()
    if (this.#error !== null) throw this.#error
  }
}

/** The same request again and again on each of so many connections. */
export class HttpPublisher extends Base {
  readonly #port: number
  readonly #request: Buffer
  readonly #events: number
  readonly #count: number
  #connections: HttpConnection[] = []

  /** @param run the run, of epoch 1, in whose name it appends */
  constructor(target: Target, session: string, connections: number, batch = 1, run?: string) {
    super()
    this.#port = target.publishPort ?? target.port
    const body = batch === 1 ? EVENT : `[${Array.from({ length: batch }, () => EVENT).join(',')}]`
    const path = `/v1/sessions/${session}${run === undefined ? '' : `/runs/${run}`}/events`
    const headers: Record<string, string> = run === undefined ? {} : { 'Run-Epoch': '1' }
    this.#request = requestBytes('POST', path, body, headers)
    this.#events = batch
    this.#count = connections
  }

  async start(): Promise<void> {
    this.#connections = Array.from({ length: this.#count }, () => new HttpConnection(this.#port))
    for (const connection of this.#connections) this.#next(connection)
  }

  #next(connection: HttpConnection): void {
    if (!this.take(this.#events)) return
    connection.send(
      this.#request,
      (reply) => {
        try {
          good(reply)
        } catch (error) {
          return this.fail(error as Error)
        }
        this.answered(this.#events)
        this.#next(connection)
      },
      (error) => this.fail(error),
    )
  }

  protected close(): void {
    for (const connection of this.#connections) connection.close()
  }
}

/** Frames on one WebSocket, so many unanswered: Heldline's `publish`. */
export class SocketPublisher extends Base {
  readonly #ws: WebSocket
  readonly #frame: string
  readonly #window: number

  constructor(target: Target, session: string, window: number) {
    super()
    const { path, protocols, options } = DIALECTS.heldline
    this.#ws = new WebSocket(`ws://127.0.0.1:${target.port}${path}`, [...protocols], options)
    this.#frame = `{"op":"publish","ref":"p","session":"${session}","events":[${EVENT}]}`
    this.#window = window
    this.#ws.on('error', (error) => this.fail(error))
    this.#ws.on('message', (data: Buffer) => this.#receive(data))
  }

  async start(): Promise<void> {
    await once(this.#ws, 'open')
    for (let i = 0; i < this.#window; i++) this.#send()
  }

  #receive(data: Buffer): void {
    const head = data.toString('latin1', 0, 14)
    if (head.startsWith('{"type":"error')) return this.fail(new Error(data.toString()))
    if (!head.startsWith('{"type":"ack"')) return
    this.answered(1)
    this.#send()
  }

  #send(): void {
    if (this.take()) this.#ws.send(this.#frame)
  }

  protected close(): void {
    this.#ws.terminate()
  }
}

const ACKED = /"(?:count|error)":(\d*)/g

/** Lines of one endless request, so many not yet acknowledged. */
export class StreamPublisher extends Base {
  readonly #socket: Socket
  readonly #session: string
  readonly #window: number
  #text = ''

  constructor(target: Target, session: string, window: number) {
    super()
    this.#socket = connect({ port: target.port, host: '127.0.0.1', noDelay: true })
    this.#socket.setEncoding('latin1')
    this.#session = session
    this.#window = window
    this.#socket.on('error', (error) => this.fail(error))
    this.#socket.on('data', (text: string) => this.#receive(text))
  }

  async start(): Promise<void> {
    await once(this.#socket, 'connect')
    this.#socket.write(
      `POST /v1/sessions/${this.#session}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${API_KEY}\r\n` +
        'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    this.#send()
  }

  #receive(text: string): void {
    this.#text += text
    let end = 0
    for (const match of this.#text.matchAll(ACKED)) {
      // The number may go on in the next piece.
      if (match.index + match[0].length === this.#text.length) break
      const count = Number(match[1])
      if (match[0].startsWith('"error"')) return this.fail(new Error(this.#text.slice(-500)))
      end = match.index + match[0].length
      this.underWay -= count - 1
      this.answered(count)
    }
    this.#text = this.#text.slice(Math.max(end, this.#text.length - 4096))
    this.#send()
  }

  #send(): void {
    const room = this.#window - this.underWay
    // Half a window at a time: an agent's library writes what it has, not line by line.
    if (room < this.#window / 2) return
    let count = 0
    while (count < room && this.take()) count++
    if (count === 0) return
    const lines = `${EVENT}\n`.repeat(count)
    this.#socket.write(`${lines.length.toString(16)}\r\n${lines}\r\n`)
  }

  protected close(): void {
    this.#socket.destroy()
  }
}

/** Socket.IO has no acknowledged append: one counts as answered when its own publisher has been given it. */
export class SocketIoPublisher extends Base {
  readonly #ws: WebSocket
  readonly #session: string
  readonly #window: number
  readonly #joined = Promise.withResolvers<void>()
  readonly #before: number

  /** @param before the number of the event before its first: it numbers them itself */
  constructor(target: Target, session: string, window: number, before = 0) {
    super()
    this.#before = before
    const { path, options } = DIALECTS['socket.io']
    this.#ws = new WebSocket(`ws://127.0.0.1:${target.publishPort ?? target.port}${path}`, options)
    this.#session = session
    this.#window = window
    this.#ws.on('error', (error) => this.fail(error))
    this.#ws.on('message', (data: Buffer) => this.#receive(data.toString()))
  }

  async start(): Promise<void> {
    await this.#joined.promise
    for (let i = 0; i < this.#window; i++) this.#send()
  }

  #receive(text: string): void {
    if (text === '2') return this.#ws.send('3')
    if (text.startsWith('0{')) return this.#ws.send('40')
    if (text.startsWith('40{')) return this.#ws.send(`421["join","${this.#session}"]`)
    if (text.startsWith('431[')) return this.#joined.resolve()
    if (!text.startsWith('42["m",')) return
    this.answered(1)
    this.#send()
  }

  #send(): void {
    if (!this.take()) return
    const data = payload(`"n":${this.#before + this.sent}`, PAYLOAD_BYTES)
    this.#ws.send(`42["publish","${this.#session}",${data}]`)
  }

  protected close(): void {
    this.#ws.terminate()
  }
}

export class CentrifugePublisher extends Base {
  readonly #ws: WebSocket
  readonly #command: string
  readonly #window: number

  constructor(target: Target, session: string, window: number) {
    super()
    const port = target.publishPort ?? target.port
    this.#ws = new WebSocket(`ws://127.0.0.1:${port}${DIALECTS.centrifuge.path}`, COMPRESS_NOT)
    this.#command = `{"id":9,"publish":{"channel":"${session}","data":${DATA}}}`
    this.#window = window
    this.#ws.on('error', (error) => this.fail(error))
    this.#ws.on('message', (data: Buffer) => this.#receive(data.toString()))
  }

  async start(): Promise<void> {
    await once(this.#ws, 'open')
    this.#ws.send('{"id":1,"connect":{}}')
    await once(this.#ws, 'message')
    for (let i = 0; i < this.#window; i++) this.#send()
  }

  #receive(text: string): void {
    for (const line of text.split('\n')) {
      if (line === '{}') this.#ws.send('{}')
      if (!line.startsWith('{"id":9,')) continue
      if (line.includes('"error"')) return this.fail(new Error(line))
      this.answered(1)
      this.#send()
    }
  }

  #send(): void {
    if (this.take()) this.#ws.send(this.#command)
  }

  protected close(): void {
    this.#ws.terminate()
  }
}

/** Every message asks JetStream for its acknowledgement. */
export class NatsPublisher extends Base {
  readonly #target: Target
  readonly #session: string
  readonly #window: number
  readonly #before: number
  #ws: WebSocket | null = null

  /** @param before the number of the event before its first: it numbers them itself */
  constructor(target: Target, session: string, window: number, before = 0) {
    super()
    this.#target = target
    this.#session = session
    this.#window = window
    this.#before = before
  }

  async start(): Promise<void> {
    const ws = await openNats(this.#target.port)
    this.#ws = ws
    const frames = natsFrames()
    ws.on('error', (error) => this.fail(error))
    ws.on('message', (data: Buffer) => {
      for (const frame of frames(data)) this.#receive(frame.toString())
    })
    ws.send('SUB acks.* 1\r\n')
    for (let i = 0; i < this.#window; i++) this.#send()
  }

  #receive(text: string): void {
    if (text.startsWith('-ERR')) return this.fail(new Error(text))
    if (!text.startsWith('MSG acks.')) return
    if (text.includes('"error"')) return this.fail(new Error(text))
    this.answered(1)
    this.#send()
  }

  #send(): void {
    if (!this.take()) return
    const data = payload(`"n":${this.#before + this.sent}`, PAYLOAD_BYTES)
    this.#ws?.send(publication(`${STREAM}.${this.#session}`, 'acks.p', data))
  }

  protected close(): void {
    this.#ws?.terminate()
  }
}

const COMPRESS_NOT = { perMessageDeflate: false }
