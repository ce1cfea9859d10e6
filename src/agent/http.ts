import { AgentError, disconnected } from './agent-error.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Credentials } from './credentials.ts'
import { jsonText } from '../protocol/formats/json-text.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface HttpPorts {
  /** Ends without a slash; paths begin with `/v1`. */
  readonly base: string
  readonly fetch: Fetch
  readonly credentials: Credentials
  readonly clock: Clock
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Travels as JSON. */
  readonly body?: unknown
  /** In the place of a body: JSON text that was made before. */
  readonly text?: string
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

const TIMEOUT_MS = 20_000

/** Requests with credentials, and problems as errors. Nothing is tried again here but a token that was refused, once. */
export class Http {
  readonly #ports: HttpPorts

  constructor(ports: HttpPorts) {
    this.#ports = ports
  }

  /** @throws AgentError as `ask` does, and `invalid_answer` where the answer is not a JSON object */
  async json(request: HttpRequest): Promise<Readonly<Record<string, unknown>>> {
    const { body } = await this.ask(request)
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
    throw new AgentError('invalid_answer', `unable to read the answer of ${request.path}`)
  }

  /** @throws AgentError the problem that was answered; `disconnected` where nothing came (the outcome is unknown) */
  async ask(request: HttpRequest): Promise<HttpAnswer> {
    const { credentials } = this.#ports
    try {
      return await this.#once(request)
    } catch (error) {
      const refused = error instanceof AgentError && error.facts['status'] === 401
      if (!refused || !credentials.renewable) throw error
    }
    credentials.forget()
    return this.#once(request)
  }

  async #once(request: HttpRequest): Promise<HttpAnswer> {
    const { base, fetch, credentials, clock } = this.#ports
    const secret = await credentials.get()
    const stop = new AbortController()
    const abort = (): void => stop.abort()
    if (request.signal?.aborted === true) abort()
    request.signal?.addEventListener('abort', abort)
    const timer = clock.after(request.timeoutMs ?? TIMEOUT_MS, abort)
    try {
      const init = { ...initOf(request, secret), signal: stop.signal }
      const response = await fetch(base + request.path + queryText(request.query), init)
      if (!response.ok) throw await problemOf(response)
      const text = await response.text()
      const body: unknown = text === '' ? {} : JSON.parse(text)
      return { status: response.status, headers: response.headers, body }
    } catch (cause) {
      throw cause instanceof AgentError ? cause : disconnected(cause)
    } finally {
      timer.cancel()
      request.signal?.removeEventListener('abort', abort)
    }
  }
}

function initOf(request: HttpRequest, secret: string): RequestInit {
  const { method = 'GET', headers, body } = request
  const text = request.text ?? (body === undefined ? undefined : jsonText(body))
  return {
    method,
    headers: {
      accept: 'application/json',
      authorization: `Bearer ${secret}`,
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    cache: 'no-store',
    ...(text !== undefined && { body: text }),
  }
}

function queryText(query: HttpRequest['query'] = {}): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) params.set(name, String(value))
  }
  return params.size === 0 ? '' : `?${params}`
}

/** A problem document [P-8.1], or the answer of something that stands between us and the server. */
async function problemOf(response: Response): Promise<AgentError> {
  const { status, headers } = response
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
  const problem = await readProblem(response)
  const { code, detail, title, retryable } = problem
  return new AgentError(
    typeof code === 'string' ? code : `http_${status}`,
    sentence(detail) ?? sentence(title) ?? `the server answered ${status}`,
    {
      retryable: typeof retryable === 'boolean' ? retryable : status >= 500 || status === 429,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
      facts: { ...problem, status },
    },
  )
}

function sentence(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

async function readProblem(response: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    const body: unknown = await response.json()
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  } catch {
    // An answer of something between us and the server.
    return {}
  }
}
