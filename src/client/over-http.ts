import type { Secrets } from './credentials.ts'
import { Http, type HttpPorts, type Requests } from './http.ts'
import type { FrameReader } from './read-frame.ts'
import { HttpTransport } from './transport/http-transport.ts'
import { followByPolling } from './transport/long-poll.ts'
import { followBySse } from './transport/sse.ts'
import type { HttpKind, Transport, TransportEvents } from './transport/transport.ts'

export interface OverHttp extends Requests {
  open(kind: HttpKind, secrets: Secrets, events: TransportEvents): Transport
}

/** All that a client needs where a socket is not enough, or not to be had: a bundle of its own, loaded when it comes to that. */
export function overHttp(ports: HttpPorts, frames: FrameReader): OverHttp {
  const http = new Http(ports)
  return {
    json: (request) => http.json(request),
    open(kind, secrets, events) {
      const follow = kind === 'sse' ? followBySse : followByPolling
      return new HttpTransport(kind, follow, { http, clock: ports.clock, frames }, secrets, events)
    },
  }
}
