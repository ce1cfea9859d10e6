import { ticketAnswer, ticketBody, tokenAnswer, tokenBody } from '../protocol/http.ts'
import { json, type Answer } from './answer.ts'
import type { Call } from './call.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'tokens' | 'tickets'>

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

async function issue(call: Call, { tickets }: Ports): Promise<Answer> {
  const { origin } = call.optional(ticketBody)
  const bound = origin ?? call.header('origin') ?? null
  return json(await tickets.issue(call.grant, { origin: bound }), 201)
}
