import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { STREAMED } from './answer.ts'
import { authenticate, authorize, sessionOf, type AuthPorts } from './authorize.ts'
import { Call } from './call.ts'
import { RIGHTS, type Need } from './rights.ts'
import { nameOf, type Route } from './route.ts'

/** Puts routes in place, each behind its row of the table of rights. @throws when a route has no row */
export function register(app: FastifyInstance, routes: readonly Route[], ports: AuthPorts): void {
  for (const variants of Map.groupBy(routes, ({ method, path }) => `${method} ${path}`).values()) {
    const [one] = variants
    if (one === undefined) continue
    app.route({
      method: one.method === 'GET' && needOf(one) === 'nothing' ? ['GET', 'HEAD'] : one.method,
      url: one.path.replaceAll('{', ':').replaceAll('}', ''),
      onRequest: gate(variants, ports),
      handler: answer,
    })
  }
}

function needOf(route: Route): Need {
  const need = RIGHTS[nameOf(route)]
  if (need === undefined) throw new Error(`${nameOf(route)} has no row in the table of rights`)
  return need
}

/** Lets a request through once it has shown what its route needs: before its body is looked at. */
function gate(variants: readonly Route[], ports: AuthPorts) {
  const needs = new Map(variants.map((route) => [route, needOf(route)]))
  return async (request: FastifyRequest): Promise<void> => {
    const route = pick(variants, request)
    const need = needs.get(route) ?? 'nothing'
    if (need === 'nothing') {
      request.call = new Call(route, request, null, null)
      return
    }
    const grant = await authenticate(request, ports)
    const session = sessionOf(request)
    authorize(grant, need, session)
    request.call = new Call(route, request, grant, session)
  }
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

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<string | undefined | FastifyReply> {
  // The gate has set it, or the request would not be here.
  const call = request.call as Call
  const done = await call.route.handle(call, reply)
  if (done === STREAMED) return reply
  reply.code(done.status)
  if (done.headers !== undefined) reply.headers(done.headers)
  return done.body ?? undefined
}
