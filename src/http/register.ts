import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { STREAMED, type Answer } from './answer.ts'
import type { Grant } from '../core/access.ts'
import { authenticate, authorize, sessionOf, type AuthPorts } from './authorize.ts'
import { Call } from './call.ts'
import { bodyFor, type BodyPorts } from './json-body.ts'
import type { HttpPorts } from './ports.ts'
import { RIGHTS, type Need } from './rights.ts'
import { nameOf, type Route } from './route.ts'

type Ports = AuthPorts & BodyPorts & Pick<HttpPorts, 'draining'>

/** Puts routes in place, each behind its row of the table of rights. @throws when a route has no row */
export function register(app: FastifyInstance, routes: readonly Route[], ports: Ports): void {
  for (const variants of Map.groupBy(routes, ({ method, path }) => `${method} ${path}`).values()) {
    const [one] = variants
    if (one === undefined) continue
    app.route({
      method: one.method === 'GET' && needOf(one) === 'nothing' ? ['GET', 'HEAD'] : one.method,
      url: one.path.replaceAll('{', ':').replaceAll('}', ''),
      onRequest: walk(variants, ports),
      handler: () => {
        throw new Error('the walk answers every request')
      },
    })
  }
}

function needOf(route: Route): Need {
  const need = RIGHTS[nameOf(route)]
  if (need === undefined) throw new Error(`${nameOf(route)} has no row in the table of rights`)
  return need
}

/**
 * The way of a request, from its first hook on: rights, then the body, then the answer. It ends there, since what the framework does after
 * that hook (parsing, validating, serialising) is done here already, and would cost as much again.
 */
function walk(variants: readonly Route[], ports: Ports) {
  const needs = new Map(variants.map((route) => [route, needOf(route)]))
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const route = pick(variants, request)
    const need = needs.get(route) ?? 'nothing'
    const shown = need === 'nothing' ? null : authenticate(request, ports)
    // Known already, as a rule: then nothing is waited for.
    const grant = shown instanceof Promise ? await shown : shown
    const call = admit(request, route, need, grant)
    request.call = call
    const body = bodyFor(route, request.raw, ports)
    if (body !== undefined) call.body = await body
    const answer = await route.handle(call, reply)
    if (answer !== STREAMED) write(answer, reply, ports.draining())
    // Its client may have gone before there was a word to say.
    else if (!reply.sent) reply.hijack()
    return reply
  }
}

/** Lets a request go on once it has shown what its route needs: before its body is looked at. */
function admit(request: FastifyRequest, route: Route, need: Need, grant: Grant | null): Call {
  if (grant === null) return new Call(route, request, null, null)
  const session = sessionOf(request)
  authorize(grant, need, session)
  return new Call(route, request, grant, session)
}

/** Of several meanings of a path, the one whose media type the request names; else the one without. */
function pick(variants: readonly Route[], request: FastifyRequest): Route {
  // `register` leaves no group empty.
  const last = variants.at(-1) as Route
  if (variants.length === 1) return last
  const named = request.headers[last.method === 'GET' ? 'accept' : 'content-type'] ?? ''
  const special = variants.find(({ variant }) => variant !== undefined && named.includes(variant))
  return special ?? variants.find(({ variant }) => variant === undefined) ?? last
}

/** Straight to the socket: the text is made, and the framework would only look for what to do with it. */
function write({ status, headers, body }: Answer, reply: FastifyReply, ending: boolean): void {
  // Only strings are ever set as headers here.
  const all = { ...reply.getHeaders(), ...headers } as Record<string, string | number>
  if (body !== null) all['content-length'] = Buffer.byteLength(body)
  if (ending) all['connection'] = 'close'
  reply.hijack()
  reply.raw.writeHead(status, all)
  reply.raw.end(body)
}
