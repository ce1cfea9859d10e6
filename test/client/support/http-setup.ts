import type { Client } from '../../../src/client/client.ts'
import type { Secret } from '../../../src/client/credentials.ts'
import { Credentials } from '../../../src/client/credentials.ts'
import { Http } from '../../../src/client/http.ts'
import { HttpTransport } from '../../../src/client/transport/http-transport.ts'
import { followByPolling } from '../../../src/client/transport/long-poll.ts'
import { followBySse } from '../../../src/client/transport/sse.ts'
import type { OpenTransport, TransportKind } from '../../../src/client/transport/transport.ts'
import { ModelHttp } from './model-http.ts'
import { makeWorld, type World } from './setup.ts'

export interface HttpWorld extends World {
  readonly http: ModelHttp
  readonly kinds: TransportKind[]
  readonly openHttp: (transport: TransportKind | 'auto', token?: Secret) => Client
}

/** A world whose WebSockets never open, and whose requests reach the model. */
export function makeHttpWorld(): HttpWorld {
  const world = makeWorld()
  const { clock, server } = world
  const http = new ModelHttp(server)
  const kinds: TransportKind[] = []
  return {
    ...world,
    http,
    kinds,
    openHttp(transport, token) {
      const credentials = new Credentials(clock, token, undefined)
      const requests = new Http({ base: 'http://held', fetch: http.fetch, credentials, clock })
      const ports = { http: requests, clock }
      const open: OpenTransport = (kind, secrets, events) => {
        kinds.push(kind)
        if (kind !== 'websocket') {
          const follow = kind === 'sse' ? followBySse : followByPolling
          return new HttpTransport(kind, follow, ports, secrets, events)
        }
        queueMicrotask(() => events.closed(1006))
        return { kind, send: () => false, close: () => {} }
      }
      return world.open({ transport, credentials, http: requests, open })
    },
  }
}
