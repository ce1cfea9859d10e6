import type { FastifyReply } from 'fastify'
import type { ServerResponse } from 'node:http'
import { tokenRevoked, type Grant } from '../core/access.ts'
import { Attachment, type AttachOptions } from '../core/attachment.ts'
import { errorFrame } from '../core/error-frame.ts'
import { frame, type Frame } from '../core/frame.ts'
import { Outbox, type Transport } from '../core/outbox.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { formatPosition, type Position } from '../protocol/position.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import { sseMessage } from './sse-text.ts'
import { StreamTimers } from './stream-timers.ts'
import type { OpenStream } from './streams.ts'

type Ports = Pick<HttpPorts, 'attachments' | 'clock' | 'limits' | 'random' | 'log' | 'metrics'>

/** How often a reader that takes nothing is looked for. */
const CHECK_MS = 5000
/** What a browser waits before it connects again. */
const RETRY_MS = 1000
/** Readers that are sent away come back spread over this. */
const LEAVE_SPREAD_MS = 5000

/** One SSE response: the same attachment and outbox as a socket's, with another way out. */
export class SseReader implements Transport, OpenStream {
  readonly #call: Call
  readonly #reply: FastifyReply
  readonly #ports: Ports
  readonly #padding: number
  readonly #attachment: Attachment
  readonly #outbox: Outbox
  /** Until the attachment is there, a refusal is an answer like any other. */
  #response: ServerResponse | null = null
  readonly #timers: StreamTimers
  readonly #closers: (() => void)[] = []
  #endedWith: number | null = null
  #closed = false

  constructor(call: Call, reply: FastifyReply, ports: Ports, padding: number) {
    this.#call = call
    this.#reply = reply
    this.#ports = ports
    this.#timers = new StreamTimers(ports.clock)
    this.#padding = padding
    this.#outbox = new Outbox(this, ports.limits, ports.clock.now(), ports.metrics)
    this.#attachment = new Attachment(call.session, ports.attachments, {
      ready: () => this.#outbox.ready(),
      send: (content) => this.#send(content),
    })
    call.onEnd(reply, () => this.#end())
  }

  /** @param closer called once, at once where it is over already: its client may have gone before it was made */
  onClose(closer: () => void): void {
    if (this.#closed) closer()
    else this.#closers.push(closer)
  }

  /** @throws HeldlineError as long as nothing has been answered */
  async open(options: AttachOptions): Promise<void> {
    if ((options.position?.serial ?? 0) > 0) this.#ports.metrics?.reconnected('sse')
    try {
      await this.#attachment.open(options, (mode, head) => this.#begin(mode, head))
    } catch (error) {
      if (this.#response === null) {
        this.#end()
        throw error
      }
      this.#send(errorFrame(error, null, this.#call.session))
    }
  }

  send(content: Frame): void {
    if (this.#response === null) return
    const text = sseMessage(content)
    this.#response.write(text)
    this.#ports.metrics?.sent('sse', Buffer.byteLength(text))
  }

  get bufferedBytes(): number {
    return this.#response?.writableLength ?? 0
  }

  /** A slow consumer: what waits for it will never be taken, so nothing is said. */
  close(code: number, reason: string): void {
    this.#endedWith ??= code
    this.#ports.log.info('http.stream_cut', { requestId: this.#call.requestId, reason })
    this.#response?.destroy()
    this.#end()
  }

  leave(): void {
    const { fraction } = this.#ports.random
    const afterMs = Math.round(fraction.call(this.#ports.random) * LEAVE_SPREAD_MS)
    this.#send(frame({ type: 'goaway', reason: 'draining', afterMs }))
    this.#response?.write(`retry: ${RETRY_MS + afterMs}\n\n`)
    this.#endedWith ??= CLOSE.restart
    this.#finish()
  }

  get grant(): Grant {
    return this.#call.grant
  }

  revoked(): void {
    if (this.#response !== null) {
      this.#send(errorFrame(tokenRevoked(), null, this.#call.session))
      return
    }
    this.#reply.raw.destroy()
    this.#end()
  }

  #begin(mode: 'resumed' | 'snapshot', head: Position): void {
    if (this.#closed) return
    const { response, headers } = this.#call.stream(this.#reply)
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    this.#response = response
    this.#ports.metrics?.opened('sse')
    response.on('drain', () => this.#attachment.pump())
    // A client that goes away in the middle of a write is no error of ours; `close` follows.
    response.on('error', () => undefined)
    if (this.#padding > 0) response.write(`:${' '.repeat(this.#padding)}\n\n`)
    response.write(`retry: ${RETRY_MS}\n\n`)
    this.#heartbeat(head)
    const { session } = this.#call
    // An answer of a socket carries the ref of its question; here the request itself is the question.
    this.#send(frame({ type: 'attached', ref: 'sse', session, mode, head: formatPosition(head) }))
    this.#timers.every(this.#ports.limits.heartbeatMs, () =>
      this.#heartbeat(this.#attachment.head ?? head),
    )
    this.#timers.every(CHECK_MS, () => this.#outbox.check(this.#ports.clock.now()))
    this.#watchExpiry()
  }

  #heartbeat(head: Position): void {
    const heads = { [this.#call.session]: formatPosition(head) }
    this.#send(frame({ type: 'heartbeat', at: this.#ports.clock.now(), heads }))
  }

  /** An error of the attachment ends it, and with it the stream. [P-4.13] */
  #send(content: Frame): void {
    if (this.#closed) return
    this.#outbox.send(content)
    if (content.type === 'error') this.#finish()
  }

  /** Frames for a token that is over are refused; a new stream with a new one resumes. [P-6.4] */
  #watchExpiry(): void {
    this.#timers.at(this.#call.grant.expiresAt, () => {
      const over = new HeldlineError('invalid_token', 'unable to go on; the token is over')
      this.#send(errorFrame(over, null, this.#call.session))
    })
  }

  /** Ends from our side, with what has been said before. */
  #finish(): void {
    this.#endedWith ??= CLOSE.normal
    this.#response?.end()
    this.#end()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#response !== null) this.#ports.metrics?.closed('sse', this.#endedWith)
    this.#outbox.close()
    this.#attachment.close()
    this.#timers.end()
    for (const closer of this.#closers) closer()
  }
}
