import type { FastifyRequest } from 'fastify'
import { credentialOf } from '../auth/authorization.ts'
import { demand, type Grant } from '../core/access.ts'
import type { Capability } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { parseSessionId, type SessionId } from '../protocol/ids.ts'
import { recall, remember } from './known-socket.ts'
import type { HttpPorts } from './ports.ts'
import type { Need } from './rights.ts'

export type AuthPorts = Pick<HttpPorts, 'authenticator' | 'attempts'>

/**
 * Who asks. Not a promise where it is known already.
 * @throws HeldlineError `unauthenticated`, `invalid_token`, `rate_limited`
 */
export function authenticate(request: FastifyRequest, ports: AuthPorts): Grant | Promise<Grant> {
  const { socket, headers } = request.raw
  const header = headers.authorization
  if (header === undefined) {
    throw new HeldlineError('unauthenticated', 'the credentials are missing or wrong')
  }
  return recall(socket, header) ?? prove(request, header, ports)
}

async function prove(
  request: FastifyRequest,
  header: string,
  { authenticator, attempts }: AuthPorts,
): Promise<Grant> {
  const credential = credentialOf(header)
  const attempt = (): Promise<Grant> => authenticator.authenticate(credential)
  const grant = await (attempts === undefined ? attempt() : attempts.attempt(request.ip, attempt))
  remember(request.raw.socket, header, grant)
  return grant
}

/** The session that the path names, after percent-decoding; `null`: the path names none. @throws HeldlineError `invalid_session_id` */
export function sessionOf(request: FastifyRequest): SessionId | null {
  const { session } = request.params as { readonly session?: string }
  if (session === undefined) return null
  const id = parseSessionId(session)
  if (id === null)
    throw new HeldlineError('invalid_session_id', 'the session id does not have the form')
  return id
}

/** @throws HeldlineError `session_not_found`, `forbidden` */
export function authorize(grant: Grant, need: Need, session: SessionId | null): void {
  if (need === 'nothing' || need === 'credentials') return
  const capability = typeof need === 'string' ? need : choose(grant, need)
  if (session !== null) return demand(grant, capability, session)
  if (grant.capabilities.has(capability)) return
  throw new HeldlineError(
    'forbidden',
    `unable to ${capability}; the credentials lack this capability`,
  )
}

/** One of several that would do: one that the grant has, if there is one. */
function choose(grant: Grant, needs: readonly [Capability, ...Capability[]]): Capability {
  return needs.find((capability) => grant.capabilities.has(capability)) ?? needs[0]
}
