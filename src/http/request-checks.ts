import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { HeldlineError } from '../protocol/errors.ts'
import type { HttpLimits } from './limits.ts'

/** Headers that mean one thing: where they stand twice, Node takes the first and another hop perhaps the last. */
const ONCE = new Set(['host', 'authorization', 'content-type', 'origin', 'last-event-id'])

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
  let seen = ''
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const raw = rawHeaders[i] ?? ''
    // 4 is `host`, the shortest; most names are none of ours by their length alone.
    if (raw.length !== 4 && raw.length !== 6 && raw.length < 12) continue
    const name = raw.toLowerCase()
    if (!ONCE.has(name)) continue
    if (seen.includes(`${name},`)) {
      throw new HeldlineError('invalid_request', `unable to take the request; ${name} stands twice`)
    }
    seen += `${name},`
  }
}

/** Requests that each socket has sent ahead of their answers. A client that does not wait at all is cut off. */
export class Pipelines {
  readonly #max: number
  readonly #underWay = new WeakMap<Socket, number>()

  constructor(max: number) {
    this.#max = max
  }

  /** @returns whether the request may go on; if not, its socket is gone */
  begin(socket: Socket): boolean {
    const count = (this.#underWay.get(socket) ?? 0) + 1
    this.#underWay.set(socket, count)
    if (count <= this.#max) return true
    socket.destroy()
    return false
  }

  end(socket: Socket): void {
    this.#underWay.set(socket, (this.#underWay.get(socket) ?? 1) - 1)
  }
}
