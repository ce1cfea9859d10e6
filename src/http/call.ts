import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ServerResponse } from 'node:http'
import type * as z from 'zod/mini'
import type { Grant } from '../core/access.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { By } from '../protocol/event.ts'
import { ID_PATTERN, type MemberId, type SessionId } from '../protocol/ids.ts'
import { parseObject, type RawJson } from './body.ts'
import { readQuery, type QueryText } from './query.ts'
import type { Route } from './route.ts'

/** A request that may go on: its route, who asks, and what it is about. */
export class Call {
  readonly route: Route
  readonly #request: FastifyRequest
  readonly #grant: Grant | null
  readonly #session: SessionId | null
  /** `undefined`: none was sent. */
  body: RawJson | undefined

  constructor(
    route: Route,
    request: FastifyRequest,
    grant: Grant | null,
    session: SessionId | null,
  ) {
    this.route = route
    this.#request = request
    this.#grant = grant
    this.#session = session
  }

  /** Of a route that needs credentials. */
  get grant(): Grant {
    if (this.#grant === null) throw new Error('this route asks for no credentials')
    return this.#grant
  }

  get by(): By {
    return { subject: this.grant.subject }
  }

  /** Of a route whose path names one. */
  get session(): SessionId {
    if (this.#session === null) throw new Error('this route names no session')
    return this.#session
  }

  get member(): MemberId {
    // The form of every id is one.
    return this.id('member') as MemberId
  }

  /** The id that the path has in the place of a name. @throws HeldlineError `invalid_request` */
  id(name: string): string {
    const text = (this.#request.params as Readonly<Record<string, string>>)[name]
    if (text === undefined || !ID_PATTERN.test(text)) {
      throw new HeldlineError('invalid_request', `the ${name} id does not have the form`)
    }
    return text
  }

  /** Where it comes from, as far as proxies are believed. */
  get address(): string {
    return this.#request.ip
  }

  get requestId(): string {
    return this.#request.id
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  /** The parameters that the route's description names. */
  query(): ReadonlyMap<string, string> {
    // The parser of queries gives nothing else.
    return readQuery(this.#request.query as QueryText, Object.keys(this.route.query ?? {}))
  }

  /** @throws HeldlineError `empty_body` where there is none */
  json(): RawJson {
    const { body } = this
    if (body === undefined)
      throw new HeldlineError('empty_body', 'unable to read the body; it is empty')
    return body
  }

  /** The body as an object; no body at all is an empty object. */
  optional<Schema extends z.ZodMiniType>(schema: Schema): z.infer<Schema> {
    return parseObject(schema, this.body ?? EMPTY)
  }

  object<Schema extends z.ZodMiniType>(schema: Schema): z.infer<Schema> {
    return parseObject(schema, this.json())
  }

  /** Takes the response over, with the headers that every answer has. */
  stream(reply: FastifyReply): {
    readonly response: ServerResponse
    readonly headers: Record<string, string>
  } {
    // Only strings are ever set as headers here.
    const headers = reply.getHeaders() as Record<string, string>
    reply.hijack()
    return { response: reply.raw, headers }
  }

  /** Calls `gone` when the client has gone, or the answer is through. */
  onEnd(reply: FastifyReply, gone: () => void): void {
    // A client may have gone before anybody listened: the event is not told twice.
    if (reply.raw.destroyed) gone()
    else reply.raw.once('close', gone)
  }

  get raw(): FastifyRequest['raw'] {
    return this.#request.raw
  }
}

const EMPTY: RawJson = { text: '{}', value: {} }

declare module 'fastify' {
  interface FastifyRequest {
    /** `null` until the request may go on. */
    call: Call | null
  }
}
