import { Client } from './client.ts'
import { systemClock, type Clock } from '../sdk/clock.ts'
import { Credentials, type Secret } from './credentials.ts'
import type { Fetch } from './http.ts'
import { HttpLater } from './http-later.ts'
import { loadOverHttp } from './load-over-http.ts'
import { findPage } from './page.ts'
import { findStorages, type Storages } from './storage.ts'
import type { OpenTransport, TransportKind } from './transport/transport.ts'
import { openWebSocket, type WebSocketConstructor } from './transport/websocket.ts'

export interface ClientOptions {
  /** Where the server is: `https://host`, with a path where it is mounted under one. In a page it may be relative. */
  readonly url: string
  /**
   * What proves who we are. A function is called when a token is needed: first, when one ends, and once when one is refused; it has
   * 20 s. Where it fails, `error` tells `unauthenticated`, and it is called again after a while. Kept in memory alone.
   */
  readonly token?: Secret
  /** In the place of a token, for WebSockets alone: a single-use ticket; called for every connection. Fallbacks take the token. */
  readonly ticket?: Secret
  /**
   * Default `auto`: a WebSocket; where none opens, server-sent events; where a proxy holds those back, long-polling, which hears
   * no signals. The code of the latter two is loaded when the first is tried. Of their requests a browser's page holds four open at once, where it does not know
   * that it speaks HTTP/2 with the server: of more sessions, those that found no place are read every 3 s, and hear no signals meanwhile.
   */
  readonly transport?: TransportKind | 'auto'
  /**
   * `leader`: where it comes to server-sent events, one tab of this browser reads for all that show the same sessions to the same person; over HTTP/1.1 a browser
   * opens six connections to a server at most. Default: each tab reads for itself. Sockets are not bound by that, and never shared.
   */
  readonly share?: 'leader'
  /** Default: that of the platform. Where there is none, as good as one that does not open. */
  readonly WebSocket?: WebSocketConstructor
  /** Default: that of the platform. */
  readonly fetch?: Fetch
  /** What survives a reload. Default: the browser's own; outside of a browser, nothing does. */
  readonly storage?: Partial<Storages>
  /** Begins the keys in the storage. Give each of several people who share a browser their own. Default `heldline`. */
  readonly namespace?: string
  /** From 0 to below 1: spreads reconnects. Default `Math.random`. */
  readonly random?: () => number
  /** Default: that of the platform. */
  readonly clock?: Clock
}

/**
 * A client of a Heldline server, for browsers, workers, Node and native shells.
 * @throws TypeError when the url is none
 */
export function createClient(options: ClientOptions): Client {
  const clock = options.clock ?? systemClock
  const credentials = new Credentials(clock, options.token, options.ticket)
  const base = baseOf(options.url)
  const fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init))
  const random = options.random ?? Math.random
  const namespace = options.namespace ?? 'heldline'
  const share = options.share === undefined ? null : namespace
  const http = new HttpLater({ base, fetch, credentials, share, clock, random }, loadOverHttp)
  return new Client({
    clock,
    credentials,
    http,
    random,
    page: findPage(),
    storages: { ...findStorages(), ...options.storage },
    namespace,
    transport: options.transport ?? 'auto',
    open: opener(base, options.WebSocket, http),
  })
}

function opener(
  base: string,
  given: WebSocketConstructor | undefined,
  http: HttpLater,
): OpenTransport {
  return (kind, secrets, events) => {
    if (kind === 'websocket') {
      const url = `${base.replace(/^http/, 'ws')}/v1/connect`
      return openWebSocket(given ?? globalThis.WebSocket, url, secrets, events)
    }
    return http.open(kind, secrets, events)
  }
}

function baseOf(url: string): string {
  const page = globalThis.document?.baseURI
  const { protocol, host, pathname } = new URL(url, page)
  return `${protocol.replace(/^ws/, 'http')}//${host}${pathname.replace(/\/+$/, '')}`
}
