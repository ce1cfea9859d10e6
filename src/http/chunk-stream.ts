import type { FastifyReply } from 'fastify'
import type { ServerResponse } from 'node:http'
import type { Grant } from '../core/access.ts'
import { Outbox, type Transport } from '../core/outbox.ts'
import type { HeldlineError } from '../protocol/errors.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import { StreamTimers } from './stream-timers.ts'
import type { OpenStream } from './streams.ts'

type Ports = Pick<HttpPorts, 'clock' | 'limits' | 'log'>

/** What writes itself into a chunk stream. */
export interface ChunkSource {
  open(): Promise<void>
  pump(): void
  close(): void
}

/** How often a reader that takes nothing is looked for. */
const CHECK_MS = 5000
const KEEP_ALIVE = ': keep-alive\n\n'
const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-vercel-ai-ui-message-stream': 'v1',
}

/**
 * One response of UI message chunks as server-sent events. Where it cannot go on (this node goes down, the token is over, the reader is slow) it breaks off
 * rather than ends: an end means to its readers that the answer is whole. [P-18.4]
 */
export class ChunkStream implements Transport<string>, OpenStream {
  readonly #call: Call
  readonly #reply: FastifyReply
  readonly #ports: Ports
  readonly #outbox: Outbox<string>
  readonly #timers: StreamTimers
  readonly #closers: (() => void)[] = []
  #source: ChunkSource | null = null
  /** Until the source is open, a refusal is an answer like any other. */
  #response: ServerResponse | null = null
  #closed = false

  constructor(call: Call, reply: FastifyReply, ports: Ports) {
    this.#call = call
    this.#reply = reply
    this.#ports = ports
    this.#timers = new StreamTimers(ports.clock)
    this.#outbox = new Outbox(this, ports.limits, ports.clock.now())
    call.onEnd(reply, () => this.#end())
  }

  /** @param closer called once, at once where it is over already: its client may have gone before it was made */
  onClose(closer: () => void): void {
    if (this.#closed) closer()
    else this.#closers.push(closer)
  }

  /** @throws what opening the source throws: nothing has been answered then */
  async begin(source: ChunkSource): Promise<void> {
    if (this.#closed) return
    this.#source = source
    try {
      await source.open()
    } catch (error) {
      this.#end()
      throw error
    }
    if (this.#closed) return
    const { response, headers } = this.#call.stream(this.#reply)
    response.writeHead(200, { ...headers, ...HEADERS })
    response.on('drain', () => source.pump())
    // A client that goes away in the middle of a write is no error of ours; `close` follows.
    response.on('error', () => undefined)
    response.flushHeaders()
    this.#response = response
    this.#timers.every(this.#ports.limits.heartbeatMs, () => this.#outbox.send(KEEP_ALIVE))
    this.#timers.every(CHECK_MS, () => this.#outbox.check(this.#ports.clock.now()))
    this.#timers.at(this.#call.grant.expiresAt, () => this.cut())
    source.pump()
  }

  ready(): boolean {
    return this.#response !== null && this.#outbox.ready()
  }

  chunk(chunk: object): void {
    this.#outbox.send(`data: ${JSON.stringify(chunk)}\n\n`)
  }

  end(): void {
    this.#outbox.send('data: [DONE]\n\n')
    this.#response?.end()
    this.#end()
  }

  fail({ message }: HeldlineError): void {
    this.chunk({ type: 'error', errorText: message })
    this.end()
  }

  /** Also where nothing has been answered yet. */
  cut(): void {
    ;(this.#response ?? this.#reply.raw).destroy()
    this.#end()
  }

  send(text: string): void {
    this.#response?.write(text)
  }

  get bufferedBytes(): number {
    return this.#response?.writableLength ?? 0
  }

  /** A slow consumer. */
  close(_code: number, reason: string): void {
    this.#ports.log.info('http.stream_cut', { requestId: this.#call.requestId, reason })
    this.cut()
  }

  leave(): void {
    this.cut()
  }

  get grant(): Grant {
    return this.#call.grant
  }

  revoked(): void {
    this.cut()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#outbox.close()
    this.#source?.close()
    this.#timers.end()
    for (const closer of this.#closers) closer()
  }
}
