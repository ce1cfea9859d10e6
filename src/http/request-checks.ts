import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { HeldlineError } from '../protocol/errors.ts'
import type { HttpLimits } from './limits.ts'

/** Headers that mean one thing: where they stand twice, Node takes the first and another hop perhaps the last. */
const ONCE = ['host', 'authorization', 'content-type', 'origin', 'last-event-id']
/** Each with a bit of its own, found by the length of its name. */
const ONCE_BY_LENGTH: (ReadonlyMap<string, number> | undefined)[] = []
for (const [index, name] of ONCE.entries()) {
  ONCE_BY_LENGTH[name.length] = new Map([
    ...(ONCE_BY_LENGTH[name.length] ?? []),
    [name, 1 << index],
  ])
}

/**
 * What Node's parser lets pass and we do not. Looks at every request, so it allocates nothing.
 * @throws HeldlineError `invalid_request`, `headers_too_large`
 */
export function checkRequest(request: IncomingMessage, limits: HttpLimits): void {
  const { rawHeaders, url = '' } = request
  if (rawHeaders.length > limits.headerCount * 2) {
    throw new HeldlineError(
      'headers_too_large',
      `unable to take the request; it has over ${limits.headerCount} headers`,
      {
        facts: { maxHeaders: limits.headerCount },
      },
    )
  }
  if (url.charCodeAt(0) !== 0x2f && !(url === '*' && request.method === 'OPTIONS')) {
    throw new HeldlineError(
      'invalid_request',
      'unable to take the request; its target is not a path',
    )
  }
  checkTwins(rawHeaders)
  if (request.headers.host === undefined && request.httpVersion !== '1.0') {
    throw new HeldlineError('invalid_request', 'unable to take the request; it has no Host header')
  }
}

function checkTwins(rawHeaders: readonly string[]): void {
  let seen = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const raw = rawHeaders[i] ?? ''
    // By its length alone, most of what comes is none of these.
    const candidates = ONCE_BY_LENGTH[raw.length]
    if (candidates === undefined) continue
    const bit = candidates.get(raw.toLowerCase()) ?? 0
    if ((seen & bit) !== 0) {
      throw new HeldlineError(
        'invalid_request',
        'unable to take the request; a header stands twice that has one meaning',
      )
    }
    seen |= bit
  }
}

/** How many requests of a socket are not answered yet: on the socket itself, where it is found at once and goes with it. */
const UNDER_WAY = Symbol('requests under way')

type Counted = Socket & { [UNDER_WAY]?: number }

/** @returns whether the request may go on; if not, its client has sent ever more without waiting for an answer, and is cut off */
export function beginRequest(socket: Counted, max: number): boolean {
  const count = (socket[UNDER_WAY] ?? 0) + 1
  socket[UNDER_WAY] = count
  if (count <= max) return true
  socket.destroy()
  return false
}

export function endRequest(socket: Counted): void {
  socket[UNDER_WAY] = (socket[UNDER_WAY] ?? 1) - 1
}
