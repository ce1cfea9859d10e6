import type { ClientError } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Credentials } from './credentials.ts'
import type { Kit } from './kit.ts'
import { queryText } from '../sdk/query-text.ts'
import { readRefusal, type Refusal } from '../sdk/refusal.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface HttpPorts {
  /** Ends without a slash; paths begin with `/v1`. */
  readonly base: string
  readonly fetch: Fetch
  readonly credentials: Credentials
  /** Names the tabs that read by one of them; `null`: each reads for itself. */
  readonly share: string | null
  readonly clock: Clock
  /** From 0 to below 1: spreads what is tried again. */
  readonly random: () => number
}

interface Ports extends HttpPorts {
  readonly kit: Kit
}

export interface HttpRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly accept?: string
  readonly signal?: AbortSignal
  /** For the whole of it; for a stream, until it begins. */
  readonly timeoutMs?: number
  /** `false`: a refused token is the caller's to see to. */
  readonly renew?: boolean
}

const TIMEOUT_MS = 20_000

/** Requests with credentials, and problems as errors. */
export class Http {
  readonly kit: Kit
  readonly #ports: HttpPorts

  constructor({ kit, ...ports }: Ports) {
    this.kit = kit
    this.#ports = ports
  }

  /** @throws ClientError as `stream` does, and `invalid_answer`, retryable, where the answer is not a JSON object */
  json(request: HttpRequest): Promise<Readonly<Record<string, unknown>>> {
    return this.#run(request, true, async (response) => {
      const text = await response.text()
      // With 200 or 201 the server says something: what is empty then came from something else.
      const body: unknown = text === '' && response.status > 201 ? {} : JSON.parse(text)
      if (typeof body === 'object' && body !== null) return body as Record<string, unknown>
      throw invalidAnswer(this.kit, `unable to read the answer of ${request.path}`)
    })
  }

  /**
   * The body is the caller's to read, and ends with `request.signal`.
   * @throws ClientError the problem that was answered; `disconnected` where nothing came (the outcome is unknown)
   */
  stream(request: HttpRequest): Promise<Response> {
    return this.#run(request, false, (response) => Promise.resolve(response))
  }

  /** A refused token is got anew, once, unless the caller does. */
  async #run<T>(
    request: HttpRequest,
    whole: boolean,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { credentials } = this.#ports
    try {
      return await this.#once(request, whole, read)
    } catch (error) {
      const refused = error instanceof this.kit.ClientError && error.facts['status'] === 401
      if (!refused || !credentials.renewable || request.renew === false) throw error
    }
    credentials.forget()
    return this.#once(request, whole, read)
  }

  /** @param whole whether all of the answer has been read then: nothing is left to abort */
  async #once<T>(
    request: HttpRequest,
    whole: boolean,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { base, fetch, credentials, clock } = this.#ports
    const token = await credentials.token()
    const stop = new AbortController()
    const abort = (): void => stop.abort()
    if (request.signal?.aborted === true) abort()
    request.signal?.addEventListener('abort', abort)
    const timer = clock.after(request.timeoutMs ?? TIMEOUT_MS, abort)
    try {
      const init = { ...initOf(request, token), signal: stop.signal }
      const response = await fetch(base + request.path + queryText(request.query), init)
      if (!response.ok) throw this.#refused(await readRefusal(response))
      return await read(response)
    } catch (cause) {
      throw cause instanceof this.kit.ClientError ? cause : this.kit.disconnected(cause)
    } finally {
      timer.cancel()
      if (whole) request.signal?.removeEventListener('abort', abort)
    }
  }

  #refused({ code, message, ...rest }: Refusal): ClientError {
    return new this.kit.ClientError(code, message, rest)
  }
}

/** What came is not the server's word: something between may have answered in its place, so that the outcome is unknown. [P-2.7] */
export function invalidAnswer({ ClientError }: Kit, message: string): ClientError {
  return new ClientError('invalid_answer', message, { retryable: true })
}

function initOf(request: HttpRequest, token: string | null): RequestInit {
  const headers: Record<string, string> = { accept: request.accept ?? 'application/json' }
  if (token !== null) headers['authorization'] = `Bearer ${token}`
  if (request.body !== undefined) headers['content-type'] = 'application/json'
  Object.assign(headers, request.headers)
  return {
    method: request.method ?? 'GET',
    headers,
    cache: 'no-store',
    ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
  }
}
