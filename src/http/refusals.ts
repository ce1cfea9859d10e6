import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { expected } from '../core/error-frame.ts'
import type { Log } from '../core/log.ts'
import type { Metrics } from '../core/metrics.ts'
import { noteTrouble } from '../core/store-trouble.ts'
import { HeldlineError } from '../protocol/errors.ts'
import { allowedMethods } from './allow.ts'
import { problem } from './problem.ts'
import type { Route } from './route.ts'

interface RefusalPorts {
  readonly log: Log
  readonly metrics?: Metrics
  readonly draining: () => boolean
}

/** Everything that is not an answer, as a problem. [P-8.1] */
export function installRefusals(
  app: FastifyInstance,
  routes: readonly Route[],
  { log, metrics, draining }: RefusalPorts,
): void {
  const unknown = (request: FastifyRequest, reply: FastifyReply): void => {
    const [path = ''] = request.url.split('?', 1)
    const methods = allowedMethods(routes, path)
    if (methods.length === 0)
      return refuse(new HeldlineError('not_found', 'there is nothing at this path'), request, reply)
    reply.header('allow', [...methods, 'OPTIONS'].join(', '))
    if (request.method === 'OPTIONS') return void reply.code(204).send()
    const facts = { allow: methods }
    refuse(
      new HeldlineError('method_not_allowed', 'the path does not take this method', { facts }),
      request,
      reply,
    )
  }

  app.setErrorHandler((error: FastifyError, request, reply) => {
    // Asked of a method that no route has, before it is looked whether there is a route.
    if (error.code === 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE') return unknown(request, reply)
    const refusal = refusalOf(error)
    metrics?.refused('http', refusal.code)
    if (refusal.code === 'internal') log.error('http.failed', { requestId: request.id, error })
    // A probe says itself what it has found.
    if (request.call?.route.quiet !== true) noteTrouble(log, refusal)
    // Fastify closes where a body was refused; here what still comes of it is awaited a moment instead. See `linger`. A header that is removed without being there
    // is remembered as unwanted, and who may send nothing more on this connection would not be told.
    if (!draining() && reply.hasHeader('connection')) reply.removeHeader('connection')
    refuse(refusal, request, reply)
  })

  app.setNotFoundHandler(unknown)
}

/** What the router could not even look for. */
export function refuseFramework(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  refuse(refusalOf(error), request, reply)
}

export function refuse(error: HeldlineError, request: FastifyRequest, reply: FastifyReply): void {
  const { status, headers, body } = problem(error, request.id)
  reply.code(status).headers(headers).header('x-request-id', request.id).send(body)
}

/** The row that stands for an error of the framework; of ours it is the error itself. */
function refusalOf(error: FastifyError): HeldlineError {
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HeldlineError(
        'unsupported_media_type',
        'unable to take the body; the content type is not one of these',
      )
    case 'FST_ERR_BAD_URL':
      return new HeldlineError(
        'invalid_request',
        'unable to take the request; its path is not percent-encoded text',
      )
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new HeldlineError('invalid_session_id', 'the session id does not have the form')
    default:
      return expected(error)
  }
}
