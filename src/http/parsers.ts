import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { BodyDeadlines } from './body-deadlines.ts'
import { parseJson, readBody } from './body.ts'
import type { HttpLimits } from './limits.ts'

/** Exactly these; a type with anything else in it is another type. */
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i
const NDJSON_TYPE = /^application\/x-ndjson[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i

type Done = (error: Error | null, body?: unknown) => void

/** How bodies are read: as RawJson, or, where the route appends lines, not at all. */
export function installParsers(app: FastifyInstance, limits: HttpLimits, clock: Clock): void {
  const deadlines = new BodyDeadlines(clock, limits.bodyMs, limits.lookMs)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (request, body, done) => {
    parse(request, body, limits, deadlines, done)
  })
}

function parse(
  request: FastifyRequest,
  body: IncomingMessage,
  limits: HttpLimits,
  deadlines: BodyDeadlines,
  done: Done,
): void {
  if (request.plainBytes > 0) return parsePlain(body, request.plainBytes, deadlines, done)
  const route = request.call?.route
  // Nothing is at this path, or it takes no body: what was sent is not looked at.
  if (route?.body === undefined) return done(null)
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') return done(unsupported('the encoding'))
  const type = request.headers['content-type'] ?? ''
  if (route.variant === 'application/x-ndjson') {
    return NDJSON_TYPE.test(type) ? done(null) : done(unsupported('the content type'))
  }
  if (!JSON_TYPE.test(type)) return done(unsupported('the content type'))
  readBody(body, route.body.maxBytes ?? limits.bodyBytes, deadlines, (error, bytes) => {
    if (bytes === undefined) return done(error)
    let parsed: unknown
    try {
      parsed = parseJson(bytes)
    } catch (refusal) {
      return done(refusal as Error)
    }
    done(null, parsed)
  })
}

function parsePlain(
  body: IncomingMessage,
  maxBytes: number,
  deadlines: BodyDeadlines,
  done: Done,
): void {
  readBody(body, maxBytes, deadlines, (error, bytes) => done(error, bytes?.toString()))
}

function unsupported(what: string): HeldlineError {
  return new HeldlineError(
    'unsupported_media_type',
    `unable to take the body; ${what} is not one of these`,
    {
      facts: { accepts: ['application/json', 'application/x-ndjson on appends'] },
    },
  )
}
