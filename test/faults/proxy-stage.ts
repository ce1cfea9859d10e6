import { request as httpRequest, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { createAgent } from '../../src/agent/index.ts'
import { createClient, type ClientOptions } from '../../src/client/create-client.ts'
import type { Session } from '../../src/client/session.ts'
import { HAPROXY_IS_HERE, startHaproxy } from '../support/haproxy.ts'
import { NGINX_IS_HERE, startNginx } from '../support/nginx.ts'
import type { Changes, ProxyProcess } from '../support/proxy-process.ts'
import { API_KEY } from '../support/server-process.ts'

type Transport = NonNullable<ClientOptions['transport']>
type Clock = NonNullable<ClientOptions['clock']>

export interface Kind {
  readonly name: 'nginx' | 'haproxy'
  readonly isHere: boolean
  readonly start: (targetPort: number, changes?: Changes) => Promise<ProxyProcess>
}

export const NGINX: Kind = { name: 'nginx', isHere: NGINX_IS_HERE, start: startNginx }
export const HAPROXY: Kind = { name: 'haproxy', isHere: HAPROXY_IS_HERE, start: startHaproxy }

export const KINDS = [NGINX, HAPROXY]
export const BOTH = KINDS.every(({ isHere }) => isHere)
export const LACKING =
  'nginx or haproxy is not here: npm run test:setup installs them, or set NGINX_BIN and HAPROXY_BIN'

/** A proxy that goes with the test. */
export async function start(
  kind: Kind,
  targetPort: number,
  changes: Changes,
  ended: Ended,
): Promise<ProxyProcess> {
  const proxy = await kind.start(targetPort, changes)
  ended(() => proxy.stop())
  return proxy
}

/** As proxies are that know no WebSockets: the handshake comes to nothing. */
export const WITHOUT_WEBSOCKETS: Readonly<Record<Kind['name'], Changes>> = {
  nginx: { 'proxy_set_header Upgrade $http_upgrade;': '' },
  haproxy: {
    'option forwardfor': 'option forwardfor\n  http-request deny if { path /v1/connect }',
  },
}

/** As nginx is where nobody has set anything: it asks the server by HTTP/1.0 and collects what has no length, unless the answer says not to. */
export const BUFFERS: Changes = { ...WITHOUT_WEBSOCKETS.nginx, 'proxy_http_version 1.1;': '' }

const DEAF = 'client_max_body_size 0; proxy_ignore_headers X-Accel-Buffering;'

/** The same, and it does not listen to the answer: 4 kB at a time go through. */
export const HOLDS_A_LITTLE_BACK: Changes = { ...BUFFERS, 'client_max_body_size 0;': DEAF }

/** With room for so much that nothing goes through before the answer is over. */
export const HOLDS_BACK: Changes = {
  ...BUFFERS,
  'client_max_body_size 0;': `${DEAF} proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;`,
}

type Ended = (work: () => void | Promise<void>) => void

/** Who follows a session: what it got, and by what. */
export interface Watcher {
  readonly session: Session
  /** The serial of each event, as they came. */
  readonly serials: readonly number[]
  /** Every connection that was begun; a long-poll is one. */
  readonly opened: readonly Transport[]
  readonly live: boolean
}

/** A client of ours behind a proxy, until the test has ended. */
export function watch(
  url: string,
  id: string,
  transport: Transport,
  ended: Ended,
  clock?: Clock,
): Watcher {
  const opened: Transport[] = []
  const client = createClient({
    url,
    token: API_KEY,
    transport,
    ...(clock !== undefined && { clock }),
    WebSocket: class extends WebSocket {
      constructor(address: string | URL, protocols?: string | string[]) {
        opened.push('websocket')
        super(address, protocols)
      }
    },
    fetch: (address, init) => {
      if (new Headers(init.headers).get('accept') === 'text/event-stream') opened.push('sse')
      else if (address.includes('/events?')) opened.push('long-poll')
      return fetch(address, init)
    },
  })
  ended(() => client.close())
  const session = client.session(id, { catchup: 'events' })
  const serials: number[] = []
  session.on('event', ({ serial }) => serials.push(serial))
  return {
    session,
    serials,
    opened,
    get live() {
      return client.state === 'live' && session.state === 'live'
    },
  }
}

/** An agent's session, made; the agent goes with the test. */
export async function agentIn(url: string, id: string, ended: Ended) {
  const agent = createAgent({ url, apiKey: API_KEY })
  ended(() => agent.close())
  const session = agent.session(id)
  await session.open()
  return session
}

export const textOf = (session: Session): string[] =>
  session.messages.map(({ parts }) => parts.map(({ text }) => text ?? '').join(''))

const headers = { authorization: `Bearer ${API_KEY}` }

interface Logged {
  readonly serial: number
  readonly type: string
  readonly data: unknown
}

/** What a session holds, asked of the server itself. */
export async function logOf(server: string, id: string): Promise<readonly Logged[]> {
  const log: Logged[] = []
  for (;;) {
    const path = `/v1/sessions/${id}/events?after=${log.at(-1)?.serial ?? 0}&limit=1000`
    const response = await fetch(server + path, { headers })
    const { events, more } = (await response.json()) as {
      readonly events: readonly Logged[]
      readonly more: boolean
    }
    log.push(...events)
    if (!more) return log
  }
}

/** Appends by lines that are written one after another, to a body that stays open. */
export function openLines(url: string, id: string, key: string) {
  const request = httpRequest(`${url}/v1/sessions/${id}/events`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/x-ndjson', 'idempotency-key': key },
    agent: false,
  })
  const over = answerOf(request)
  over.catch(() => undefined)
  return {
    write: (data: unknown) => {
      request.write(`${JSON.stringify({ type: 'x.line', data })}\n`)
    },
    /** Ends the body. @returns the status, and the last line of the answer @throws Error where the proxy cut it */
    end: () => {
      request.end()
      return over
    },
    /** Resolves when it has been cut. */
    lost: () =>
      over.then(
        () => Promise.reject(new Error('it was answered')),
        () => undefined,
      ),
  }
}

async function answerOf(request: ReturnType<typeof httpRequest>) {
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const piece of response.setEncoding('utf8')) text += piece
  return { status: response.statusCode, last: text.trim().split('\n').at(-1) ?? '' }
}
