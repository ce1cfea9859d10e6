import fastify, { type FastifyInstance } from 'fastify'
import { aiSdkRoutes } from './ai-sdk.ts'
import { BodyDeadlines } from './body-deadlines.ts'
import { controlRoutes } from './control.ts'
import { effectRoutes } from './effects.ts'
import { eventRoutes } from './event-routes.ts'
import { deliveryRoutes } from './deliveries.ts'
import { noticeRoutes } from './notices.ts'
import { installHooks } from './hooks.ts'
import { inputRoutes } from './inputs.ts'
import { endLeftoverSockets } from './leftover-sockets.ts'
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits.ts'
import { messageRoutes } from './messages.ts'
import { installMounts } from './mounts.ts'
import { openapiRoutes } from './openapi.ts'
import { installParsers } from './parsers.ts'
import type { HttpPorts } from './ports.ts'
import { presenceRoutes } from './presence.ts'
import { connectRoutes } from './connect.ts'
import { probeRoutes } from './probes.ts'
import { queryText } from './query.ts'
import { questionRoutes } from './questions.ts'
import { installRefusals, refuseFramework } from './refusals.ts'
import { register } from './register.ts'
import { requestIds } from './request-ids.ts'
import type { Route } from './route.ts'
import { runAgentRoutes } from './run-agent.ts'
import { runEventRoutes } from './run-events.ts'
import { runRoutes } from './runs.ts'
import { sessionListRoutes } from './session-list.ts'
import { verbRoutes } from './session-verbs.ts'
import { sessionRoutes } from './sessions.ts'
import { stateRoutes } from './state.ts'
import { Streams } from './streams.ts'
import { tokenRoutes } from './tokens.ts'
import { refuseBytes } from './client-error.ts'

/**
 * The HTTP control plane: give it to `listen`, and its `server` to whoever takes upgrades. Closing it ends its streams first, each with a
 * word to its reader.
 */
export function createHttp(ports: HttpPorts): FastifyInstance {
  const limits: HttpLimits = { ...DEFAULT_HTTP_LIMITS, ...ports.httpLimits }
  const nextId = requestIds(ports.random.id())
  const streams = new Streams(limits.streams, ports.revocations)
  const routes = allRoutes(ports, limits, streams)
  const app = fastify({
    ...framework(limits),
    trustProxy: trusted(ports.trustProxy ?? []),
    genReqId: nextId,
    frameworkErrors: refuseFramework,
    clientErrorHandler: (error, socket) => refuseBytes(error, socket, nextId()),
  })
  app.decorateRequest('call', null)
  app.decorateRequest('plainBytes', 0)
  installHooks(app, ports, limits)
  const bodies = { limits, deadlines: new BodyDeadlines(ports.clock, limits.bodyMs, limits.lookMs) }
  installParsers(app, bodies)
  installRefusals(app, routes, ports)
  register(app, routes, { ...ports, ...bodies })
  installMounts(app, ports.mounts ?? [])
  const endLeftovers = endLeftoverSockets(app.server, ports.clock)
  app.addHook('preClose', async () => {
    streams.close()
    endLeftovers()
  })
  return app
}

/** Every route there is. */
export function allRoutes(
  ports: HttpPorts,
  limits: HttpLimits,
  streams: Streams,
): readonly Route[] {
  const routes = [
    ...sessionRoutes(ports),
    ...sessionListRoutes(ports, limits),
    ...eventRoutes(ports, limits, streams),
    ...messageRoutes(ports, limits),
    ...runRoutes(ports),
    ...runAgentRoutes(ports),
    ...runEventRoutes(ports, limits, streams),
    ...inputRoutes(ports, limits, streams),
    ...questionRoutes(ports, limits, streams),
    ...presenceRoutes(ports, limits, streams),
    ...deliveryRoutes(ports),
    ...noticeRoutes(ports),
    ...verbRoutes(ports),
    ...stateRoutes(ports),
    ...effectRoutes(ports),
    ...controlRoutes(ports),
    ...tokenRoutes(ports),
    ...probeRoutes(ports),
    ...connectRoutes(),
    ...aiSdkRoutes(ports, limits, streams),
  ]
  return [...routes, ...openapiRoutes(routes)]
}

/** An address that a client claims counts only where a proxy of ours says so. */
function trusted(networks: readonly string[]): string[] | false {
  return networks.length > 0 && [...networks]
}

/** What Fastify and Node are told. A time-out of the whole request is not among it: it would cut an append that streams. */
function framework(limits: HttpLimits) {
  return {
    logger: false,
    requestIdHeader: false,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    maxRequestsPerSocket: limits.requestsPerSocket,
    routerOptions: {
      // As long as a request can be: an id that is too long is refused as an id.
      maxParamLength: limits.headerBytes,
      querystringParser: (text: string) => ({ ...queryText(text) }),
    },
    http: {
      headersTimeout: limits.headersMs,
      connectionsCheckingInterval: limits.lookMs,
      maxHeaderSize: limits.headerBytes,
      // Looked at by ourselves, with a problem for an answer.
      requireHostHeader: false,
      // A peer that vanished without a word must not hold a stream for ever.
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
    },
  } as const
}
