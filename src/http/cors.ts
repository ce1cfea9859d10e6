import type { FastifyReply } from 'fastify'

const METHODS = 'GET, POST, PUT, PATCH, DELETE'
const REQUEST_HEADERS =
  'authorization, content-type, idempotency-key, producer-id, producer-epoch, producer-seq, last-event-id, if-match, if-none-match, run-epoch'
const ANSWER_HEADERS = 'x-request-id, retry-after, location, etag'
const PREFLIGHT_SECONDS = '600'

/** What browsers of other origins may do here. Credentials travel in headers alone, never in cookies. */
export class Cors {
  readonly allows: (origin: string) => boolean

  constructor(allows: (origin: string) => boolean) {
    this.allows = allows
  }

  /** Lets the origin read this answer, where it may. */
  mark(origin: string, reply: FastifyReply): void {
    reply.header('vary', 'Origin')
    if (!this.allows(origin)) return
    reply.header('access-control-allow-origin', origin)
    reply.header('access-control-expose-headers', ANSWER_HEADERS)
    // By which its page sees that requests go over HTTP/2, and need no places.
    reply.header('timing-allow-origin', origin)
  }

  /** What a browser asks before it sends. */
  preflight(reply: FastifyReply): void {
    reply.header('access-control-allow-methods', METHODS)
    reply.header('access-control-allow-headers', REQUEST_HEADERS)
    reply.header('access-control-max-age', PREFLIGHT_SECONDS)
  }
}
