import type { IncomingMessage } from 'node:http'
import { HeldlineError } from '../protocol/errors.ts'
import type { BodyDeadlines } from './body-deadlines.ts'
import { parseJson, readBody, takeBody, type RawJson } from './body.ts'
import type { HttpLimits } from './limits.ts'
import type { Route } from './route.ts'

/** After the media type, exactly this; a type with anything else in it is another type. */
const CHARSET = /^[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i
const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'
/** Their routes read them as they arrive. */
const STREAMED_TYPES: ReadonlySet<string | undefined> = new Set([
  NDJSON_TYPE,
  'text/event-stream',
  'text/plain',
])
const USUAL_TYPES = [
  JSON_TYPE,
  `${NDJSON_TYPE} on appends`,
  'text/event-stream and text/plain on appends in the name of a run',
]
const PATCH_TYPES = ['application/merge-patch+json', 'application/json-patch+json']

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
  if (encoding !== undefined && encoding !== 'identity') throw unsupported('the encoding', route)
  if (type === undefined || !isType(type, route.variant ?? JSON_TYPE)) {
    throw unsupported('the content type', route)
  }
  if (STREAMED_TYPES.has(route.variant)) return undefined
  return readJson(request, route.body.maxBytes ?? limits.bodyBytes, deadlines)
}

function isType(type: string, wanted: string): boolean {
  const named = type.slice(0, wanted.length).toLowerCase()
  return named === wanted && CHARSET.test(type.slice(wanted.length))
}

function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0' } = headers
  return headers['transfer-encoding'] !== undefined || length !== '0'
}

/** Settled: after it, what came along with the headers is there, too; Node says so when those who heard of them are through. */
const TOLD = Promise.resolve()

async function readJson(
  request: IncomingMessage,
  maxBytes: number,
  deadlines: BodyDeadlines,
): Promise<RawJson> {
  await TOLD
  const whole = takeBody(request, maxBytes)
  if (whole !== null) return parseJson(whole)
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    readBody(request, maxBytes, deadlines, (error, read) => {
      if (read === undefined) reject(error ?? new Error('a body without bytes'))
      else resolve(read)
    })
  })
  return parseJson(bytes)
}

function unsupported(what: string, { variant }: Route): HeldlineError {
  const accepts = variant?.endsWith('-patch+json') ? PATCH_TYPES : USUAL_TYPES
  return new HeldlineError(
    'unsupported_media_type',
    `unable to take the body; ${what} is not one of these`,
    { facts: { accepts } },
  )
}
