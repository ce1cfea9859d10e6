import { AgentError, disconnected, invalidAnswer } from './agent-error.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Credentials } from './credentials.ts'
import { jsonText } from '../protocol/formats/json-text.ts'
import { queryText } from '../sdk/query-text.ts'
import { readRefusal, type Refusal } from '../sdk/refusal.ts'

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

/** One whose answer is an object of the server's. */
export interface JsonRequest extends HttpRequest {
  /** What that always has: what comes without it was answered by something else. */
  readonly expects: string
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

const TIMEOUT_MS = 20_000

/**
 * Requests with credentials, and problems as errors. Nothing is tried again here but a token that was refused, once. The client has its own, as its
 * errors come from a kit that is loaded before it, its answers may be streams, and an agent's bodies may be text that was made before.
 */
export class Http {
  readonly #ports: HttpPorts

  constructor(ports: HttpPorts) {
    this.#ports = ports
  }

  /** @throws AgentError as `ask` does, and `invalid_answer` where the answer is not what was expected (the outcome is unknown) [P-2.7] */
  async json(request: JsonRequest): Promise<Readonly<Record<string, unknown>>> {
    const { body } = await this.ask(request)
    if (typeof body === 'object' && body !== null && request.expects in body)
      return body as Record<string, unknown>
    throw invalidAnswer(`unable to read the answer of ${request.path}`)
  }

  /**
   * @throws AgentError the problem that was answered; `disconnected` where nothing came (the outcome is unknown)
   * @throws TypeError for a body that is no JSON: nothing was sent
   */
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
    // Before anything is sent: what cannot be written as JSON is a mistake of whoever made it, and no outcome that is unknown.
    const init = initOf(request, secret)
    const stop = new AbortController()
    const abort = (): void => stop.abort()
    if (request.signal?.aborted === true) abort()
    request.signal?.addEventListener('abort', abort)
    const timer = clock.after(request.timeoutMs ?? TIMEOUT_MS, abort)
    try {
      const url = base + request.path + queryText(request.query)
      const response = await fetch(url, { ...init, signal: stop.signal })
      if (!response.ok) throw refused(base, await readRefusal(response))
      const text = await response.text()
      // With 200 or 201 the server says something: what is empty then came from something else.
      const body: unknown = text === '' && response.status > 201 ? {} : JSON.parse(text)
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

function refused(base: string, { code, message, ...rest }: Refusal): AgentError {
  // Heldline says a code of its own table.
  const foreign = code === `http_${String(rest.facts['status'])}` && !rest.retryable
  return new AgentError(
    code,
    foreign ? `${message} at ${hostOf(base)}: is that Heldline?` : message,
    rest,
  )
}

function hostOf(base: string): string {
  return new URL(base).host
}
