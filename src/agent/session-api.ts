import type { Clock } from '../sdk/clock.ts'
import type { Http, HttpAnswer, HttpRequest, JsonRequest } from './http.ts'
import { insist, type Patience } from './insist.ts'
import type { Beats } from './socket/socket-later.ts'

export interface ApiPorts extends Patience {
  readonly http: Http
  readonly clock: Clock
  /** Where there is none, all goes over HTTP. */
  readonly socket?: Beats | undefined
}

type Json = Readonly<Record<string, unknown>>

/** The requests of one session: each is sent again until what became of it is known. */
export class SessionApi {
  readonly session: string
  readonly ports: ApiPorts
  readonly #base: string

  constructor(session: string, ports: ApiPorts) {
    this.session = session
    this.ports = ports
    this.#base = `/v1/sessions/${encodeURIComponent(session)}`
  }

  /** For requests that may be sent any number of times. @throws AgentError */
  json(request: JsonRequest): Promise<Json> {
    return insist(this.ports, () => this.once(request), request.signal)
  }

  /** As `json`, where the answer may be anything. @param read throws for what is none of the server's, and that is asked again */
  ask<T>(request: HttpRequest, read: (answer: HttpAnswer) => T): Promise<T> {
    const { http } = this.ports
    const placed = this.#placed(request)
    return insist(this.ports, async () => read(await http.ask(placed)), request.signal)
  }

  /** Sent once. */
  once(request: JsonRequest): Promise<Json> {
    return this.ports.http.json(this.#placed(request))
  }

  #placed<R extends HttpRequest>(request: R): R {
    return { ...request, path: this.#base + request.path }
  }
}
