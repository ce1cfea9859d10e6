import type { Client } from '../../../src/client/client.ts'
import type { Secret } from '../../../src/client/credentials.ts'
import { Credentials } from '../../../src/client/credentials.ts'
import { HttpLater, type Requests } from '../../../src/client/http-later.ts'
import type { OverHttpModule } from '../../../src/client/load-over-http.ts'
import * as code from '../../../src/client/over-http.ts'
import type { OpenTransport, TransportKind } from '../../../src/client/transport/transport.ts'
import { ModelHttp } from './model-http.ts'
import { makeWorld, type World } from './setup.ts'

export interface HttpWorld extends World {
  readonly http: ModelHttp
  readonly kinds: TransportKind[]
  readonly openHttp: (transport: TransportKind | 'auto', token?: Secret) => Client
  /** The requests of a client whose socket opens. */
  readonly requests: (credentials: Credentials) => Requests
}

/**
 * A world whose WebSockets never open, and whose requests reach the model.
 * @param load how the code for requests comes
 */
export function makeHttpWorld(
  load: () => Promise<OverHttpModule> = () => Promise.resolve(code),
): HttpWorld {
  const world = makeWorld()
  const { clock, server } = world
  const http = new ModelHttp(server)
  const kinds: TransportKind[] = []
  const requestsOf = (credentials: Credentials): HttpLater =>
    new HttpLater(
      {
        base: 'http://held',
        share: null,
        fetch: http.fetch,
        credentials,
        clock,
        random: () => 0.5,
      },
      load,
    )
  return {
    ...world,
    http,
    kinds,
    requests: requestsOf,
    openHttp(transport, token) {
      const credentials = new Credentials(clock, token, undefined)
      const requests = requestsOf(credentials)
      const open: OpenTransport = (kind, secrets, events) => {
        kinds.push(kind)
        if (kind !== 'websocket') return requests.open(kind, secrets, events)
        queueMicrotask(() => events.closed(1006))
        return { kind, send: () => false, close: () => {} }
      }
      return world.open({ transport, credentials, http: requests, open })
    },
  }
}
