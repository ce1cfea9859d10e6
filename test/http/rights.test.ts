import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allRoutes } from '../../src/http/app.ts'
import { DEFAULT_HTTP_LIMITS } from '../../src/http/limits.ts'
import type { HttpPorts } from '../../src/http/ports.ts'
import { RIGHTS } from '../../src/http/rights.ts'
import { nameOf, type Route } from '../../src/http/route.ts'
import { register } from '../../src/http/register.ts'
import { Streams } from '../../src/http/streams.ts'
import { CAPABILITIES, type Capability } from '../../src/protocol/capabilities.ts'
import { startHttp, type Answered, type Ask, type HttpServer } from './http-server.ts'

let server: HttpServer

// Routes are only listed here; none of them is asked.
const routes = allRoutes({} as HttpPorts, DEFAULT_HTTP_LIMITS, new Streams(1))

beforeAll(async () => {
  server = await startHttp()
  await server.ask('PUT', '/v1/sessions/s1')
})

afterAll(() => server?.close())

function request(route: Route, session = 's1'): { path: string; ask: Ask } {
  const path = route.path.replace('{session}', session).replace('{member}', 'm1')
  const headers =
    route.method === 'GET'
      ? { accept: route.variant ?? 'application/json' }
      : { ...(route.variant !== undefined && { 'content-type': route.variant }) }
  return { path, ask: { headers } }
}

async function ask(route: Route, credential: string | null, session?: string): Promise<Answered> {
  const { path, ask: asked } = request(route, session)
  return server.ask(route.method, path, { ...asked, credential })
}

const needs = routes.map((route) => [nameOf(route), route, RIGHTS[nameOf(route)]] as const)
const guarded = needs.flatMap(([name, route, need]) =>
  need === undefined || need === 'nothing' || need === 'credentials'
    ? []
    : [[name, route, (typeof need === 'string' ? [need] : need) as readonly Capability[]] as const],
)

describe('[P-6.2] the table of rights', () => {
  test('has a row for every route, and no other row', () => {
    expect(Object.keys(RIGHTS).sort()).toEqual(routes.map(nameOf).sort())
  })

  test('a route without a row does not come into being', () => {
    const [route] = routes
    if (route === undefined) throw new Error('there are no routes')
    const stray: Route = { ...route, path: '/v1/stray' }
    // It does not come to asking any of them.
    const ports = {} as Parameters<typeof register>[2]
    expect(() => register(server.app, [stray], ports)).toThrow(/no row/)
  })

  test('what is open to everybody is what is meant to be', () => {
    const open = needs.filter(([, , need]) => need === 'nothing').map(([name]) => name)
    expect(open.sort()).toEqual([
      'GET /compat/ai-sdk/ws',
      'GET /docs',
      'GET /livez',
      'GET /openapi.json',
      'GET /readyz',
      'GET /v1/connect',
    ])
  })

  test.for(guarded)('%s is refused without credentials', async ([, route]) => {
    const { status, headers } = await ask(route, null)
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer realm=/)
  })

  test.for(guarded)(
    '%s is refused with every other capability',
    async ([, route, capabilities]) => {
      const others = CAPABILITIES.filter((capability) => !capabilities.includes(capability))
      const { status, json } = await ask(route, await server.token({ capabilities: others }))
      expect({ status, code: json.code }).toEqual({ status: 403, code: 'forbidden' })
    },
  )

  test.for(guarded.filter(([, { path }]) => path.includes('{session}')))(
    '%s says of the sessions of others what it says of none',
    async ([, route]) => {
      await server.ask('PUT', '/v1/sessions/other')
      const credential = await server.token({ sessions: ['s1'] })
      const [theirs, none] = [
        await ask(route, credential, 'other'),
        await ask(route, credential, 'none'),
      ]
      const { requestId: _, ...one } = theirs.json
      const { requestId: __, ...two } = none.json
      expect(one).toEqual(two)
      expect(one).toMatchObject({ status: 404, code: 'session_not_found' })
    },
  )

  test.for(guarded)(
    '%s is let through with one of its capabilities',
    async ([, route, capabilities]) => {
      if (route.method === 'DELETE' || route.variant === 'text/event-stream') return
      for (const capability of capabilities) {
        const { status } = await ask(route, await server.token({ capabilities: [capability] }))
        expect([401, 403, 404]).not.toContain(
          route.method === 'POST' && route.path === '/v1/sessions' ? 400 : status,
        )
      }
    },
  )
})
