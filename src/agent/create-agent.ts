import { Agent } from './agent.ts'
import { systemClock, type Clock } from '../sdk/clock.ts'
import { Credentials, type Secret } from './credentials.ts'
import { Http, type Fetch } from './http.ts'

export interface AgentOptions {
  /** Where the server is: `https://host`, with a path where it is mounted under one. */
  readonly url: string
  /** An API key, `id:secret`. */
  readonly apiKey?: string
  /** In the place of a key: a token, or what gets one, called again once one is refused. It needs `publish`; with `history`, a cancel is heard at once. */
  readonly token?: Secret
  /** Default: that of the runtime. */
  readonly fetch?: Fetch
  /** So long a request is tried again before it counts as failed. Default 2 min. */
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
  const http = new Http({
    base: new URL(url).href.replace(/\/+$/, ''),
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    credentials: new Credentials(clock, secret),
    clock,
  })
  return new Agent({ http, clock, random, retryForMs: options.retryForMs ?? RETRY_FOR_MS })
}
