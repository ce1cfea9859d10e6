import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingMessage } from 'node:http'
import { refuseOrigin } from '../auth/origins.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { Cors } from './cors.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpPorts } from './ports.ts'
import { beginRequest, checkRequest, endRequest } from './request-checks.ts'

type Ports = Pick<HttpPorts, 'allowsOrigin' | 'clock' | 'draining' | 'log' | 'metrics'>

/** What happens to every request before its route, and after its answer. */
export function installHooks(app: FastifyInstance, ports: Ports, limits: HttpLimits): void {
  const cors = new Cors(ports.allowsOrigin)

  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    if (!beginRequest(raw.socket, limits.pipelined)) {
      reply.hijack()
      return
    }
    markAnswer(request, reply)
    checkRequest(raw, limits)
    const { origin } = raw.headers
    if (origin !== undefined) cors.mark(origin, reply)
    if (raw.method === 'OPTIONS' && options(request, reply, cors, ports.log)) return
    done()
  })

  // When it is sent, not when it was asked for: what was under way when the node began to end must not leave its socket open.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (ports.draining()) reply.header('connection', 'close')
    done()
  })

  app.addHook('onResponse', (request, reply, done) => {
    const { raw } = request
    endRequest(raw.socket)
    if (!raw.complete) linger(raw, limits.lingerMs, ports.clock)
    logAnswer(request, reply, ports)
    done()
  })
}

/** The headers of every answer. */
function markAnswer(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id)
  reply.header('cache-control', 'no-store')
  reply.header('x-content-type-options', 'nosniff')
}

/** @returns whether the question is answered: a browser's before it sends, or one about the server as a whole */
function options(request: FastifyRequest, reply: FastifyReply, cors: Cors, log: Log): boolean {
  const { origin, 'access-control-request-method': wanted } = request.headers
  if (request.raw.url === '*') {
    reply.code(204).send()
    return true
  }
  if (origin === undefined || wanted === undefined) return false
  if (!cors.allows(origin)) {
    throw refuseOrigin(origin, log)
  }
  cors.preflight(reply)
  reply.code(204).send()
  return true
}

/**
 * The answer is out and the body is still coming: a socket closed now would take the answer along, unread. What comes is thrown away
 * for a moment, and then the socket goes.
 */
export function linger(request: IncomingMessage, ms: number, clock: Clock): void {
  const { socket } = request
  request.resume()
  clock.after(ms, () => {
    if (!request.complete) socket.destroy()
  })
}

/** Names, numbers and the template of the path: never what the caller wrote. */
function logAnswer(request: FastifyRequest, reply: FastifyReply, { log, metrics }: Ports): void {
  const status = reply.statusCode
  const route = request.call?.route.path ?? request.routeOptions.url ?? null
  metrics?.answered(route === null ? null : `${request.method} ${route}`, status)
  if (request.call?.route.quiet === true && status < 400) return
  const ms = Math.round(reply.elapsedTime * 10) / 10
  log.info('http.request', { method: request.method, route, status, ms, requestId: request.id })
}
