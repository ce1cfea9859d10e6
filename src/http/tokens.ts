import { isKeySubject } from '../auth/api-keys.ts'
import { HeldlineError } from '../protocol/errors.ts'
import {
  revokeAnswer,
  revokeBody,
  ticketAnswer,
  ticketBody,
  tokenAnswer,
  tokenBody,
} from '../protocol/http.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'tokens' | 'tickets' | 'revocations'>

/** Credentials made from credentials. [P-9.7] */
export function tokenRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/tokens',
      summary: 'Make a token for a browser',
      description:
        'It never grants more than the credentials that ask for it: the answer says what it grants.',
      body: { schema: tokenBody, required: true },
      answers: { 201: { about: 'The token.', schema: tokenAnswer } },
      errors: ['not_found'],
      handle: (call) => mint(call, ports),
    },
    {
      method: 'POST',
      path: '/v1/tokens/revoke',
      summary: 'Take a token back',
      description:
        'By its `jti`, or all of a `subject` that were issued so far; for API keys alone. On all nodes, sockets that carry such a token are closed within seconds.',
      body: { schema: revokeBody, required: true },
      answers: { 200: { about: 'It is good no more.', schema: revokeAnswer } },
      errors: ['rate_limited'],
      handle: (call) => revoke(call, ports),
    },
    {
      method: 'POST',
      path: '/v1/tickets',
      summary: 'Get a ticket for one connection',
      description:
        'For clients that can only give an address: `?ticket=` on /v1/connect, once, within 60 s. It proves what these credentials prove.',
      body: { schema: ticketBody, required: false },
      answers: { 201: { about: 'The ticket.', schema: ticketAnswer } },
      handle: (call) => issue(call, ports),
    },
  ]
}

async function mint(call: Call, { tokens }: Ports): Promise<Answer> {
  return json(await tokens.mint(call.grant, call.object(tokenBody)), 201)
}

async function revoke(call: Call, { revocations }: Ports): Promise<Answer> {
  const { jti, subject } = call.object(revokeBody)
  const by = call.grant.subject
  if (!isKeySubject(by)) throw new HeldlineError('forbidden', 'unable to revoke; show an API key')
  if (revocations === undefined)
    throw new HeldlineError('not_found', 'unable to revoke; this server takes no tokens back')
  if ((jti === undefined) === (subject === undefined))
    throw new HeldlineError('invalid_request', 'unable to revoke; name a jti or a subject')
  const what = jti === undefined ? { subject: subject ?? '' } : { jti }
  return json({ ...what, ...(await revocations.revoke(by, what)) })
}

async function issue(call: Call, { tickets }: Ports): Promise<Answer> {
  const { origin } = call.optional(ticketBody)
  const bound = origin ?? call.header('origin') ?? null
  return json(await tickets.issue(call.grant, { origin: bound }), 201)
}
