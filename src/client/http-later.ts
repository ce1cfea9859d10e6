import { ClientError } from './client-error.ts'
import type { Secrets } from './credentials.ts'
import type { HttpPorts } from './http.ts'
import { KIT } from './kit.ts'
import type { OverHttpModule } from './load-over-http.ts'
import type { OverHttp } from './over-http.ts'
import type { HttpKind, Transport, TransportEvents } from './transport/transport.ts'

const ABNORMAL = 1006

/** What a session asks for by requests. */
export interface Requests {
  /** @throws ClientError `disconnected`, retryable: the code could not be loaded */
  code(): Promise<OverHttp>
  close(): void
}

/**
 * Requests and the transports that are made of them, whose code is fetched when the first is wanted. Where it does not come,
 * a request fails as one that was lost on the way, and a transport ends as one that does not open: both are tried again.
 */
export class HttpLater implements Requests {
  readonly #ports: HttpPorts
  readonly #load: () => Promise<OverHttpModule>
  /** Ends the verbs that are under way; transports and reads have their own ends. */
  readonly #stop = new AbortController()
  #loaded: OverHttp | null = null

  constructor(ports: HttpPorts, load: () => Promise<OverHttpModule>) {
    this.#ports = ports
    this.#load = load
  }

  close(): void {
    this.#stop.abort()
  }

  open(kind: HttpKind, secrets: Secrets, events: TransportEvents): Transport {
    let transport: Transport | null = null
    let ended = false
    const begin = async (): Promise<void> => {
      try {
        const http = await this.code()
        if (!ended) transport = http.open(kind, secrets, events)
      } catch (error) {
        if (ended) return
        ended = true
        if (error instanceof ClientError) {
          const { code, message, retryable } = error
          events.frame({ type: 'error', ref: null, code, message, retryable })
        }
        events.closed(ABNORMAL)
      }
    }
    void begin()
    return {
      kind,
      send: (frame) => transport?.send(frame) ?? false,
      close() {
        ended = true
        transport?.close()
      },
    }
  }

  async code(): Promise<OverHttp> {
    if (this.#loaded !== null) return this.#loaded
    try {
      const { overHttp } = await this.#load()
      return (this.#loaded ??= overHttp(this.#ports, KIT, this.#stop.signal))
    } catch (cause) {
      const message = 'unable to load the code for requests'
      throw new ClientError('disconnected', message, { retryable: true, cause })
    }
  }
}
