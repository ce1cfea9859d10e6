import { HeldlineError } from '../protocol/errors.ts'
import { parsePosition, parseSerial, type Position } from '../protocol/position.ts'
import { whole, type Parameter } from './parameter.ts'

/** The query of a request as its text: each route reads from it what it knows, and nothing else may be there. */
export interface QueryText {
  readonly text: string
}

const NONE: QueryText = { text: '' }

export function queryText(text: string): QueryText {
  return text === '' ? NONE : { text }
}

/**
 * The parameters of a query, each at most once.
 * @param known the names that the route takes; one that ends with a dot is a prefix of names
 * @throws HeldlineError `duplicate_param`, `unknown_field`, `invalid_request`
 */
export function readQuery(query: QueryText, known: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  if (query.text === '') return found
  for (const pair of query.text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    if (found.has(name)) {
      throw new HeldlineError(
        'duplicate_param',
        'unable to read the query; a parameter stands twice',
      )
    }
    if (!known.some((one) => (one.endsWith('.') ? name.startsWith(one) : name === one))) {
      const names = known.length === 0 ? 'none' : known.join(', ')
      throw new HeldlineError(
        'unknown_field',
        `unable to read the query; the parameters here are: ${names}`,
      )
    }
    found.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)))
  }
  return found
}

// Control characters have no place in a parameter, and must not reach a log line or a header.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/

function decode(text: string): string {
  const decoded = decodeOrNull(text.replaceAll('+', ' '))
  if (decoded !== null && !CONTROL.test(decoded)) return decoded
  throw new HeldlineError(
    'invalid_request',
    'unable to read the query; it is not percent-encoded text',
  )
}

function decodeOrNull(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** What a query's `limit` is, in the documentation. */
export function limitParameter(fallback: number, max: number): Parameter {
  return whole(1, max, `How many at most: 1 to ${max}, default ${fallback}.`)
}

/** @throws HeldlineError `invalid_limit` */
export function limitOf(text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback
  const limit = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0
  if (limit >= 1 && limit <= max) return limit
  throw new HeldlineError('invalid_limit', `unable to read; limit is from 1 to ${max}`, {
    facts: { max },
  })
}

/** A whole number from 0 to `max`. @throws HeldlineError `invalid_request` */
export function wholeOf(name: string, text: string, max: number): number {
  const value = parseSerial(text)
  if (value !== null && value <= max) return value
  throw new HeldlineError(
    'invalid_request',
    `unable to read; ${name} is a whole number from 0 to ${max}`,
  )
}

/** @throws HeldlineError `invalid_position` */
export function serialOf(text: string): number {
  const serial = parseSerial(text)
  if (serial === null) {
    throw new HeldlineError('invalid_position', 'unable to read from there; it is not a serial')
  }
  return serial
}

/** @throws HeldlineError `invalid_position` */
export function positionOrSerialOf(text: string): Position | number {
  const found = parsePosition(text) ?? parseSerial(text)
  if (found !== null) return found
  throw new HeldlineError(
    'invalid_position',
    'unable to read from there; it is neither a position nor a serial',
  )
}
