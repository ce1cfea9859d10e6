import { Agent } from './agent.ts'
import { systemClock, type Clock } from '../sdk/clock.ts'
import { Credentials, type Secret } from './credentials.ts'
import { Http, type Fetch } from './http.ts'
import { Outage } from './outage.ts'
import { SocketLater, type WebSocketConstructor } from './socket/socket-later.ts'

export interface AgentOptions {
  /** Where the server is: `https://host`, with a path where it is mounted under one. */
  readonly url: string
  /** An API key, `id:secret`. */
  readonly apiKey?: string
  /** In the place of a key: a token, or what gets one, called again once one is refused. It needs `publish`; with `history`, a cancel is heard at once. */
  readonly token?: Secret
  /** Default: that of the runtime. */
  readonly fetch?: Fetch
  /**
   * What opens the socket that runs beat over, so that people know within seconds that this process was killed. `false`: none, all beats go over HTTP, and
   * a lease has to be over first. Default: that of the runtime, where it has one; none where `fetch` is given, which is then the whole network.
   */
  readonly socket?: WebSocketConstructor | false
  /**
   * So long a request is tried again before it counts as failed. Default 2 min. Once in an outage of more than some seconds, whoever serves hears of it by
   * `onError`; where nobody does, the console.
   */
  readonly retryForMs?: number
  /** For tests. */
  readonly clock?: Clock
  readonly random?: () => number
}

const RETRY_FOR_MS = 120_000

/** @throws TypeError without a key or token, or for an address that is none */
export function createAgent(options: AgentOptions): Agent {
  const { url, apiKey, token, clock = systemClock, random = Math.random } = options
  const secret = apiKey ?? token
  if (secret === undefined) {
    throw new TypeError('unable to create the agent; it needs an apiKey or a token')
  }
  const base = new URL(url).href.replace(/\/+$/, '')
  const credentials = new Credentials(clock, secret)
  const request = options.fetch ?? ((input, init) => fetch(input, init))
  const WebSocket = options.socket ?? (options.fetch === undefined && globalThis.WebSocket)
  return new Agent({
    http: new Http({ base, fetch: request, credentials, clock }),
    // A runtime may have none.
    socket: WebSocket
      ? new SocketLater({ url: socketUrl(base), WebSocket, credentials, clock, random })
      : undefined,
    clock,
    random,
    outage: new Outage(base),
    retryForMs: options.retryForMs ?? RETRY_FOR_MS,
  })
}

function socketUrl(base: string): string {
  return `${base.replace(/^http/, 'ws')}/v1/connect`
}
