import type { FastifyReply } from 'fastify'
import type { ServerResponse } from 'node:http'
import { tokenRevoked, type Grant } from '../core/access.ts'
import { demandAppend } from '../core/append-rights.ts'
import { ackOf } from '../core/connection-ops.ts'
import { expected } from '../core/error-frame.ts'
import { countAppend } from '../core/metrics.ts'
import type { Draft } from '../core/new-event.ts'
import { noteTrouble } from '../core/store-trouble.ts'
import type { Appended } from '../core/transitions/append.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { MAX_EVENTS_A_REQUEST } from '../protocol/frames-up.ts'
import { STREAMED } from './answer.ts'
import { retryOf, type Retry } from './append-headers.ts'
import type { Call } from './call.ts'
import type { AppendTo } from './events-append.ts'
import { drained } from './drained.ts'
import { linger } from './hooks.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpPorts } from './ports.ts'
import { problem } from './problem.ts'
import type { OpenStream, Streams } from './streams.ts'

/** What it takes to append a body as it arrives. */
export interface AppendStreamPorts {
  readonly ports: Pick<HttpPorts, 'limits' | 'durability' | 'clock' | 'log' | 'metrics'>
  readonly limits: HttpLimits
  readonly streams: Streams
  readonly appendTo: AppendTo
}

/** Makes events of a body. */
export interface BodyReader {
  /**
   * The events that are complete with these bytes, one by one, so that those before a mistake can still be taken.
   * @throws HeldlineError
   */
  push(chunk: Buffer): Iterable<Draft> | AsyncIterable<Draft>
  /** What is still to come when the body is over. */
  end(): Iterable<Draft> | AsyncIterable<Draft>
  /** How many lines of the body it has read. */
  readonly lines: number
}

/** A key gets the number of each event: together they are an id. */
const MAX_KEY = 110

/** Appends what a reader makes of a body, as it arrives, and acknowledges it by lines. [P-9.3] */
export async function appendStream(
  call: Call,
  reply: FastifyReply,
  how: AppendStreamPorts,
  readerOf: (retry: Retry) => BodyReader,
): Promise<typeof STREAMED> {
  const { streams } = how
  streams.demandRoom()
  const retry = retryOf(call)
  if (retry.key !== undefined && retry.key.length > MAX_KEY) {
    throw new HeldlineError(
      'invalid_idempotency_key',
      `unable to append; for lines, the key has at most ${MAX_KEY} characters`,
    )
  }
  const stream = new AppendStream(call, reply, retry, how, readerOf(retry))
  streams.add(stream)
  try {
    await stream.run()
  } finally {
    streams.delete(stream)
  }
  return STREAMED
}

/** So much of a body is read, at most, while what came before it is under way. */
const MAX_AHEAD_BYTES = 64 << 10

/**
 * One body. What has arrived together is one commit; while that is under way what comes next is read, up to a bound, and that is the next
 * commit. There is never more than one: were it refused, what follows must not stand.
 */
class AppendStream implements OpenStream {
  readonly #call: Call
  readonly #reply: FastifyReply
  readonly #retry: Retry
  readonly #how: AppendStreamPorts
  readonly #reader: BodyReader
  /** The response, once the first line of it is due. Before that, a refusal is an answer like any other. */
  #response: ServerResponse | null = null
  /** What is read and waits for the commit before it. */
  #ahead: Draft[] = []
  #aheadBytes = 0
  /** How many events are read. */
  #events = 0
  /** How many events are in the log. */
  #standing = 0
  /** How many lines of the body are read, and how many of these are in the log. */
  #read = 0
  #lines = 0
  /** The commit that is under way; it never rejects. */
  #commit: Promise<void> | null = null
  #refusal: HeldlineError | null = null
  #ended = false
  readonly #over = Promise.withResolvers<void>()

  constructor(
    call: Call,
    reply: FastifyReply,
    retry: Retry,
    how: AppendStreamPorts,
    reader: BodyReader,
  ) {
    this.#call = call
    this.#reply = reply
    this.#retry = retry
    this.#how = how
    this.#reader = reader
  }

  async run(): Promise<void> {
    // Once the answer is out, Node tells a body that is waited for nothing more, not even that its socket has gone.
    await Promise.race([this.#readAll(), this.#over.promise])
    // What a client that has gone had sent whole stands too, and the store must not be closed under it.
    await this.#settled().catch(() => undefined)
  }

  async #readAll(): Promise<void> {
    const body = this.#call.raw
    try {
      // Not destroyed on return: the socket still has to carry the answer.
      for await (const chunk of body.iterator({ destroyOnReturn: false })) {
        // Nobody sets an encoding, so chunks are bytes.
        const bytes = chunk as Buffer
        this.#aheadBytes += bytes.length
        await this.#take(this.#reader.push(bytes))
      }
      await this.#take(this.#reader.end())
      await this.#settled()
      if (this.#lines === 0)
        throw new HeldlineError('empty_body', 'unable to append; there is no line')
      // Lines that say nothing that is kept are an answer without lines.
      this.#begin()
      this.#end('')
    } catch (error) {
      this.#refuse(error)
    }
    // What still comes is thrown away, so that its sender is there to hear the answer: while chunks were waited for, nothing else could read it.
    if (!body.complete) body.resume()
  }

  leave(): void {
    this.#stop(
      new HeldlineError('draining', 'unable to append on; this node is going down', {
        retryAfterMs: 1000,
      }),
    )
  }

  get grant(): Grant {
    return this.#call.grant
  }

  revoked(): void {
    this.#stop(tokenRevoked())
  }

  #stop(refusal: HeldlineError): void {
    this.#refusal = refusal
    if (this.#commit === null) this.#refuse(refusal)
  }

  /** Takes events in, those before a mistake too, and waits while too much waits for the commit under way. */
  async #take(events: Iterable<Draft> | AsyncIterable<Draft>): Promise<void> {
    try {
      // Events that are at hand are not waited for one by one: that would cost as much as reading them.
      if (Symbol.iterator in events) {
        for (const event of events) if (this.#add(event)) await this.#room()
      } else for await (const event of events) if (this.#add(event)) await this.#room()
      this.#read = this.#reader.lines
    } catch (error) {
      await this.#settled()
      throw error
    }
    await this.#room()
  }

  /** @returns whether that makes as much as one commit may hold */
  #add(event: Draft): boolean {
    this.#ahead.push(this.#allowed(event))
    this.#events++
    this.#read = this.#reader.lines
    return this.#ahead.length === MAX_EVENTS_A_REQUEST
  }

  #allowed(asked: Draft): Draft {
    const { grant, session } = this.#call
    const [draft = asked] = demandAppend(grant, session, [asked])
    const { key } = this.#retry
    return key === undefined || draft.id !== null
      ? draft
      : { ...draft, id: `${key}:${this.#events}` }
  }

  /** @throws what has stopped it */
  async #room(): Promise<void> {
    this.#next()
    while (this.#commit !== null && this.#full()) await this.#commit
    if (this.#refusal !== null) throw this.#refusal
  }

  #full(): boolean {
    return this.#ahead.length >= MAX_EVENTS_A_REQUEST || this.#aheadBytes >= MAX_AHEAD_BYTES
  }

  /** Once all that was taken in stands. @throws what has stopped it */
  async #settled(): Promise<void> {
    this.#next()
    while (this.#commit !== null) await this.#commit
    if (this.#refusal !== null) throw this.#refusal
  }

  /** Begins a commit of all that is read, unless one is under way: that one begins the next. */
  #next(): void {
    if (this.#commit !== null || this.#refusal !== null) return
    const drafts = this.#ahead
    const lines = this.#read
    this.#aheadBytes = 0
    if (drafts.length === 0) {
      this.#lines = lines
      return
    }
    this.#ahead = []
    this.#commit = this.#attempt(drafts, lines)
  }

  async #attempt(drafts: readonly Draft[], lines: number): Promise<void> {
    const failure = await this.#append(drafts, lines).then(
      () => this.#refusal,
      (error: unknown) => error,
    )
    this.#commit = null
    if (failure === null) return this.#next()
    this.#refusal ??= expected(failure)
    this.#refuse(failure)
  }

  async #append(drafts: readonly Draft[], lines: number): Promise<void> {
    const { grant } = this.#call
    const { ports, appendTo } = this.#how
    const { clock, durability, metrics } = ports
    if (grant.expiresAt !== null && grant.expiresAt <= clock.now()) {
      throw new HeldlineError('invalid_token', 'unable to append on; the token is over')
    }
    const { producer } = this.#retry
    // The key is in the ids of the events.
    const retry = {
      key: undefined,
      producer: producer && { ...producer, seq: producer.seq + this.#standing },
    }
    const append = (): Promise<Appended> => appendTo(this.#call, drafts, retry)
    const done = await countAppend(metrics, 'stream', drafts, append)
    this.#standing += drafts.length
    this.#lines = lines
    const line = { ...ackOf(done), count: drafts.length, lines, durability }
    await this.#write(`${JSON.stringify(line)}\n`)
  }

  /** Waits while the reader of the acknowledgements does not read: then nothing more is taken from it either. One that takes nothing for long is cut off. */
  async #write(text: string): Promise<void> {
    const response = this.#begin()
    if (response.write(text) || response.destroyed) return
    const { clock, limits, log } = this.#how.ports
    await drained(response, clock, limits.slowConsumerMs, () => {
      // It is told nothing: what it would be told waits behind what it does not take. Its retry finds what stands.
      const reason = 'takes no acknowledgements'
      log.info('http.stream_cut', { requestId: this.#call.requestId, reason })
      response.destroy()
    })
  }

  #begin(): ServerResponse {
    if (this.#response !== null) return this.#response
    const { response, headers } = this.#call.stream(this.#reply)
    response.writeHead(200, {
      ...headers,
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store, no-transform',
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
    const { ports, limits } = this.#how
    ports.metrics?.refused('http', known.code)
    if (known.code === 'internal') ports.log.error('http.failed', { requestId, error })
    noteTrouble(ports.log, known)
    const facts = { ...known.facts, lines: this.#lines }
    const refusal = new HeldlineError(known.code, known.message, { ...optionsOf(known), facts })
    const { status, headers, body } = problem(refusal, requestId)
    if (this.#response === null) {
      const { response, headers: usual } = this.#call.stream(this.#reply)
      this.#response = response
      response.writeHead(status, { ...usual, ...headers })
      this.#end(body)
    } else this.#end(`{"error":${body}}\n`)
    if (!raw.complete) linger(raw, limits.lingerMs, ports.clock)
  }

  #end(text: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#response?.end(text)
    this.#over.resolve()
  }
}

function optionsOf({ cause, retryAfterMs }: HeldlineError): {
  cause?: unknown
  retryAfterMs?: number
} {
  return { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}
