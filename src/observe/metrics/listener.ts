import { hash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Secret } from '../../core/secret.ts'

export interface ListenerOptions {
  /** 0 takes a free one. */
  readonly port: number
  readonly host: string
  /** What a scraper must show as its bearer token; `null`: nothing. */
  readonly key: Secret | null
}

/** What is shown, as it is at that moment. */
export interface Shown {
  readonly contentType: string
  text(): Promise<string>
}

const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'",
}
const MAX_CONNECTIONS = 32
const REQUEST_MS = 5000
const PATH = '/metrics'

/** `GET /metrics` at an address of its own: what operators read is not at the address that clients reach. */
export class MetricsListener {
  readonly #server: Server
  readonly #shown: Shown
  readonly #digest: Buffer | null
  /** Scrapers that come together get one text: it is made once at a time. */
  #making: Promise<string> | null = null

  private constructor(shown: Shown, key: Secret | null) {
    this.#shown = shown
    this.#digest = key === null ? null : digestOf(key.reveal())
    this.#server = createServer(
      { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: 8192 },
      (request, response) => void this.#answer(request, response),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
    // What it shows is of a server that is there: it keeps no process alive.
    this.#server.unref()
  }

  /** @throws Error with a sentence for the operator where it cannot listen there */
  static async open(shown: Shown, { port, host, key }: ListenerOptions): Promise<MetricsListener> {
    const listener = new MetricsListener(shown, key)
    const server = listener.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        reject(new Error(`unable to show metrics at ${host}:${port}; ${error.code ?? 'it failed'}`))
      })
      server.listen(port, host, resolve)
    })
    return listener
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Whoever asks has nothing to send.
    request.resume()
    const [path] = (request.url ?? '').split('?', 1)
    if (!this.#allows(request)) {
      return end(response, 401, 'show the key: Authorization: Bearer <METRICS_KEY>\n', {
        'www-authenticate': 'Bearer realm="heldline metrics"',
      })
    }
    if (path !== PATH) return end(response, 404, `there is only ${PATH}\n`)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return end(response, 405, 'only GET\n', { allow: 'GET, HEAD' })
    try {
      const text = await (this.#making ??= this.#make())
      end(response, 200, text, { 'content-type': this.#shown.contentType })
    } catch {
      end(response, 500, 'unable to show the metrics\n')
    }
  }

  #make(): Promise<string> {
    return this.#shown.text().finally(() => {
      this.#making = null
    })
  }

  /** Takes as long whatever is shown. */
  #allows({ headers }: IncomingMessage): boolean {
    if (this.#digest === null) return true
    const [, shown = ''] = /^bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
    return timingSafeEqual(digestOf(shown), this.#digest)
  }
}

function end(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    ...HEADERS,
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : text)
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}
