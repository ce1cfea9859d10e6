import type { IncomingMessage } from 'node:http'
import { HeldlineError } from '../protocol/errors.ts'
import type { BodyDeadlines } from './body-deadlines.ts'
import { parseJson, readBody, type RawJson } from './body.ts'
import type { HttpLimits } from './limits.ts'
import type { Route } from './route.ts'

/** Exactly these; a type with anything else in it is another type. */
const JSON_TYPE = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i
const NDJSON_TYPE = /^application\/x-ndjson[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i

/** What it takes to read a body. */
export interface BodyPorts {
  readonly limits: HttpLimits
  readonly deadlines: BodyDeadlines
}

/**
 * The body of a request as its route wants it: JSON; or `undefined` where none was sent, the route takes none, or reads it itself.
 * @throws HeldlineError `unsupported_media_type`, `payload_too_large`, `request_timeout`, what `parseJson` throws
 */
export function bodyFor(
  route: Route,
  request: IncomingMessage,
  { limits, deadlines }: BodyPorts,
): Promise<RawJson> | undefined {
  if (route.body === undefined) return undefined
  const { headers } = request
  const type = headers['content-type']
  if (type === undefined && !hasBody(request)) return undefined
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') throw unsupported('the encoding')
  if (route.variant === 'application/x-ndjson') {
    if (type === undefined || !NDJSON_TYPE.test(type)) throw unsupported('the content type')
    return undefined
  }
  if (type === undefined || !JSON_TYPE.test(type)) throw unsupported('the content type')
  return readJson(request, route.body.maxBytes ?? limits.bodyBytes, deadlines)
}

function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0' } = headers
  return headers['transfer-encoding'] !== undefined || length !== '0'
}

async function readJson(
  request: IncomingMessage,
  maxBytes: number,
  deadlines: BodyDeadlines,
): Promise<RawJson> {
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    readBody(request, maxBytes, deadlines, (error, read) => {
      if (read === undefined) reject(error ?? new Error('a body without bytes'))
      else resolve(read)
    })
  })
  return parseJson(bytes)
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
