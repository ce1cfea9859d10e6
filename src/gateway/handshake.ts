import type { IncomingMessage } from 'node:http'
import type { Attempts, Authenticator, Grant } from '../core/access.ts'
import type { Door } from '../core/door.ts'
import type { Log } from '../core/log.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { AUTH_PROTOCOL_PREFIX, PROTOCOL } from '../protocol/version.ts'
import { credentialOf } from '../auth/authorization.ts'
import { refuseOrigin } from '../auth/origins.ts'

export interface HandshakePorts {
  readonly authenticator: Authenticator
  readonly attempts?: Attempts
  readonly addressOf: (request: IncomingMessage) => string
  readonly log: Log
  /** Whether a browser of this origin may connect. */
  readonly allowsOrigin: (origin: string, host: string | undefined) => boolean
}

/** Where the protocol itself is spoken. [P-4.1] */
const CONNECT = '/v1/connect'

/** The door that a handshake is for; `null`: our own. @throws HeldlineError `not_found` */
export function doorOf(request: IncomingMessage, doors: readonly Door[]): Door | null {
  const { pathname } = parseTarget(request.url ?? '')
  const door = doors.find(({ path }) => path === pathname) ?? null
  if (door !== null || pathname === CONNECT) return door
  throw new HeldlineError('not_found', 'there is nothing at this path')
}

/**
 * What a handshake proves: a grant, or `null` when the first frame is to bring it. [P-6.3] [P-6.5]
 * @param door `null`: our own, which needs its subprotocol
 * @throws HeldlineError `forbidden_origin`, `invalid_request`, `invalid_token`, `unauthenticated`
 */
export async function handshake(
  request: IncomingMessage,
  ports: HandshakePorts,
  door: Door | null = null,
): Promise<Grant | null> {
  const url = parseTarget(request.url ?? '')
  const { origin } = request.headers
  if (origin !== undefined && !ports.allowsOrigin(origin, request.headers.host)) {
    throw refuseOrigin(origin, ports.log)
  }
  const protocols = (request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
  if (door === null && !protocols.includes(PROTOCOL)) {
    throw new HeldlineError(
      'invalid_request',
      `unable to connect; the subprotocol must be ${PROTOCOL}`,
    )
  }
  const shown = shownBy(request, url, protocols, ports.authenticator)
  if (shown === null || ports.attempts === undefined) return shown === null ? null : shown()
  return ports.attempts.attempt(ports.addressOf(request), shown)
}

/** How to find out whom the credentials of a handshake stand for; `null`: it shows none. */
function shownBy(
  request: IncomingMessage,
  url: URL,
  protocols: readonly string[],
  authenticator: Authenticator,
): (() => Promise<Grant>) | null {
  const tickets = url.searchParams.getAll('ticket')
  const [ticket] = tickets
  if (tickets.length > 1)
    throw new HeldlineError('duplicate_param', 'unable to connect; ticket stands twice')
  if (ticket !== undefined)
    return () => authenticator.redeem(ticket, request.headers.origin ?? null)
  const header = request.headers.authorization
  if (header !== undefined) return () => authenticator.authenticate(credentialOf(header))
  const offered = protocols.find((name) => name.startsWith(AUTH_PROTOCOL_PREFIX))
  if (offered === undefined) return null
  const token = Buffer.from(offered.slice(AUTH_PROTOCOL_PREFIX.length), 'base64url').toString()
  return () => authenticator.authenticate(token)
}

function parseTarget(target: string): URL {
  try {
    return new URL(target, 'http://heldline')
  } catch (cause) {
    throw new HeldlineError('not_found', 'there is nothing at this path', { cause })
  }
}
