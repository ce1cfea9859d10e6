import { audited } from '../core/audit.ts'
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
import { auditEntry } from './audit-entry.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'tokens' | 'tickets' | 'revocations' | 'audit'>

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

async function mint(call: Call, { tokens, audit }: Ports): Promise<Answer> {
  const wish = call.object(tokenBody)
  const { subject, sessions, capabilities } = wish
  const entry = auditEntry(call, 'token.mint', { subject, sessions, capabilities })
  const minted = await audited(
    audit,
    entry,
    () => tokens.mint(call.grant, wish),
    // What it really grants may be less than was asked for.
    ({ jti, sessions, capabilities, expiresAt }) => ({ jti, sessions, capabilities, expiresAt }),
  )
  return json(minted, 201)
}

async function revoke(call: Call, { revocations, audit }: Ports): Promise<Answer> {
  const { jti, subject } = call.object(revokeBody)
  if ((jti === undefined) === (subject === undefined))
    throw new HeldlineError('invalid_request', 'unable to revoke; name a jti or a subject')
  const what = jti === undefined ? { subject: subject ?? '' } : { jti }
  const by = call.grant.subject
  const revoked = await audited(audit, auditEntry(call, 'token.revoke', what), async () => {
    if (!isKeySubject(by)) throw new HeldlineError('forbidden', 'unable to revoke; show an API key')
    if (revocations === undefined)
      throw new HeldlineError('not_found', 'unable to revoke; this server takes no tokens back')
    return revocations.revoke(by, what)
  })
  return json({ ...what, ...revoked })
}

async function issue(call: Call, { tickets, audit }: Ports): Promise<Answer> {
  const { origin } = call.optional(ticketBody)
  const bound = origin ?? call.header('origin') ?? null
  const entry = auditEntry(call, 'ticket.issue', { origin: bound })
  const issued = await audited(audit, entry, () => tickets.issue(call.grant, { origin: bound }))
  return json(issued, 201)
}
