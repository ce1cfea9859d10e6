import type { FastifyReply } from 'fastify'
import type { ServerResponse } from 'node:http'
import { demandAppend } from '../core/append-rights.ts'
import { ackOf } from '../core/connection-ops.ts'
import { expected } from '../core/error-frame.ts'
import type { Draft } from '../core/new-event.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { MAX_EVENTS_A_REQUEST } from '../protocol/frames-up.ts'
import { STREAMED } from './answer.ts'
import { retryOf, type Retry } from './append-headers.ts'
import { parseJson } from './body.ts'
import type { Call } from './call.ts'
import { draftOf } from './drafts.ts'
import type { AppendTo } from './events-append.ts'
import { linger } from './hooks.ts'
import type { HttpLimits } from './limits.ts'
import { LineSplitter } from './line-splitter.ts'
import type { HttpPorts } from './ports.ts'
import { problem } from './problem.ts'
import type { OpenStream, Streams } from './streams.ts'

type Ports = Pick<HttpPorts, 'limits' | 'durability' | 'clock' | 'log'>

/** Room for the envelope around an event's data. */
const ENVELOPE_BYTES = 1024
/** A key gets the number of each line: together they are an id. */
const MAX_KEY = 110

/** Appends lines as they arrive. [P-9.3] */
export async function appendLines(
  call: Call,
  reply: FastifyReply,
  ports: Ports,
  limits: HttpLimits,
  streams: Streams,
  appendTo: AppendTo,
): Promise<typeof STREAMED> {
  streams.demandRoom()
  const retry = retryOf(call)
  if (retry.key !== undefined && retry.key.length > MAX_KEY) {
    throw new HeldlineError(
      'invalid_idempotency_key',
      `unable to append; for lines, the key has at most ${MAX_KEY} characters`,
    )
  }
  const stream = new LineAppend(call, reply, retry, ports, limits, appendTo)
  streams.add(stream)
  try {
    await stream.run()
  } finally {
    streams.delete(stream)
  }
  return STREAMED
}

/**
 * One body of lines. What has arrived together is one commit, and while that is under way the body waits: the stream's own buffer is all that
 * is held, and the next batch is what gathered there.
 */
class LineAppend implements OpenStream {
  readonly #call: Call
  readonly #reply: FastifyReply
  readonly #retry: Retry
  readonly #ports: Ports
  readonly #limits: HttpLimits
  readonly #appendTo: AppendTo
  readonly #splitter: LineSplitter
  /** The response, once the first line of it is due. Before that, a refusal is an answer like any other. */
  #response: ServerResponse | null = null
  #lines = 0
  #committing = false
  #refusal: HeldlineError | null = null
  #ended = false

  constructor(
    call: Call,
    reply: FastifyReply,
    retry: Retry,
    ports: Ports,
    limits: HttpLimits,
    appendTo: AppendTo,
  ) {
    this.#call = call
    this.#reply = reply
    this.#retry = retry
    this.#ports = ports
    this.#limits = limits
    this.#appendTo = appendTo
    this.#splitter = new LineSplitter(ports.limits.maxEventBytes + ENVELOPE_BYTES)
  }

  async run(): Promise<void> {
    const body = this.#call.raw
    try {
      // Not destroyed on return: the socket still has to carry the answer.
      for await (const chunk of body.iterator({ destroyOnReturn: false })) {
        // Nobody sets an encoding, so chunks are bytes.
        await this.#take(this.#splitter.push(chunk as Buffer))
        if (this.#refusal !== null) throw this.#refusal
      }
      await this.#take([this.#splitter.end()])
      if (this.#lines === 0)
        throw new HeldlineError('empty_body', 'unable to append; there is no line')
      this.#end('')
    } catch (error) {
      this.#refuse(error)
    }
  }

  leave(): void {
    const refusal = new HeldlineError('draining', 'unable to append on; this node is going down', {
      retryAfterMs: 1000,
    })
    if (this.#committing) this.#refusal = refusal
    else this.#refuse(refusal)
  }

  /** Appends lines, those before a mistake too. */
  async #take(lines: Iterable<Buffer>): Promise<void> {
    let drafts: Draft[] = []
    try {
      for (const line of lines) {
        const draft = this.#draft(line, drafts.length)
        if (draft !== null) drafts.push(draft)
        if (drafts.length < MAX_EVENTS_A_REQUEST) continue
        await this.#commit(drafts)
        drafts = []
      }
    } catch (error) {
      if (this.#committing) throw error
      this.#refusal = expected(error)
    }
    if (drafts.length > 0) await this.#commit(drafts)
    if (this.#refusal !== null) throw this.#refusal
  }

  #draft(line: Buffer, before: number): Draft | null {
    if (line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09)) return null
    const { grant, session } = this.#call
    const asked = draftOf(parseJson(line), this.#ports.limits.maxEventBytes)
    const [draft = asked] = demandAppend(grant, session, [asked])
    const { key } = this.#retry
    return key === undefined || draft.id !== null
      ? draft
      : { ...draft, id: `${key}:${this.#lines + before}` }
  }

  async #commit(drafts: readonly Draft[]): Promise<void> {
    const { grant } = this.#call
    const { clock, durability } = this.#ports
    if (grant.expiresAt !== null && grant.expiresAt <= clock.now()) {
      throw new HeldlineError('invalid_token', 'unable to append on; the token is over')
    }
    const { producer } = this.#retry
    this.#committing = true
    // The key is in the ids of the lines.
    const done = await this.#appendTo(this.#call, drafts, {
      key: undefined,
      producer: producer && { ...producer, seq: producer.seq + this.#lines },
    })
    this.#committing = false
    this.#lines += drafts.length
    const line = { ...ackOf(done), count: drafts.length, lines: this.#lines, durability }
    await this.#write(`${JSON.stringify(line)}\n`)
  }

  /** Waits while the reader of the acknowledgements does not read: then nothing more is taken from it either. */
  async #write(text: string): Promise<void> {
    const response = this.#begin()
    if (response.write(text) || response.destroyed) return
    await new Promise<void>((resolve) => {
      response.once('drain', resolve)
      response.once('close', resolve)
    })
  }

  #begin(): ServerResponse {
    if (this.#response !== null) return this.#response
    const { response, headers } = this.#call.stream(this.#reply)
    response.writeHead(200, {
      ...headers,
      'content-type': 'application/x-ndjson',
      'x-accel-buffering': 'no',
    })
    this.#response = response
    return response
  }

  /** Says what stopped it and how much stands, and ends. */
  #refuse(error: unknown): void {
    if (this.#ended) return
    const { raw } = this.#call
    if (raw.destroyed && !raw.complete) return this.#end('')
    const known = expected(error)
    const { requestId } = this.#call
    if (known.code === 'internal') this.#ports.log.error('http.failed', { requestId, error })
    const facts = { ...known.facts, lines: this.#lines }
    const refusal = new HeldlineError(known.code, known.message, { ...optionsOf(known), facts })
    const { status, headers, body } = problem(refusal, requestId)
    if (this.#response === null) {
      const { response, headers: usual } = this.#call.stream(this.#reply)
      this.#response = response
      response.writeHead(status, { ...usual, ...headers })
      this.#end(body)
    } else this.#end(`{"error":${body}}\n`)
    if (!raw.complete) linger(raw, this.#limits.lingerMs, this.#ports.clock)
  }

  #end(text: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#response?.end(text)
  }
}

function optionsOf({ cause, retryAfterMs }: HeldlineError): {
  cause?: unknown
  retryAfterMs?: number
} {
  return { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}
