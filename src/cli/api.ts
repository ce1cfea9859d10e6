/** The server as the command line sees it: HTTP with a key, and errors that say what to do. */
export interface Api {
  readonly url: string
  request(path: string, init?: ApiRequest): Promise<Response>
}

export interface ApiRequest {
  readonly method?: string
  readonly body?: unknown
  readonly accept?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

/** A failure whose message is all that the user needs. */
export class CliError extends Error {
  override readonly name = 'CliError'
  /** Whether the same may be answered a little later: the server is away, or a proxy says so in its stead. */
  readonly passes: boolean

  constructor(message: string, options: ErrorOptions & { readonly passes?: boolean } = {}) {
    super(message, options)
    this.passes = options.passes === true
  }
}

/** @throws CliError where that is no address of a server */
export function createApi(url: string, key: string): Api {
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new CliError(`unable to use the address ${url}; write it as http://127.0.0.1:4400`)
  const base = url.replace(/\/+$/, '')
  return {
    url: base,
    request: async (path, init = {}) => {
      const response = await send(`${base}${path}`, key, init)
      if (!response.ok) throw await problemOf(response)
      return response
    },
  }
}

async function send(url: string, key: string, init: ApiRequest): Promise<Response> {
  try {
    return await fetch(url, {
      method: init.method ?? 'GET',
      headers: {
        authorization: `Bearer ${key}`,
        accept: init.accept ?? 'application/json',
        ...(init.body !== undefined && { 'content-type': 'application/json' }),
        ...init.headers,
      },
      ...(init.body !== undefined && { body: JSON.stringify(init.body) }),
      ...(init.signal && { signal: init.signal }),
    })
  } catch (cause) {
    if (init.signal?.aborted === true) throw cause
    const message = `unable to reach ${new URL(url).origin}; is the server running?`
    throw new CliError(message, { cause, passes: true })
  }
}

interface Problem {
  readonly code?: string
  readonly detail?: string
  readonly next?: string
  readonly retryable?: boolean
}

async function problemOf(response: Response): Promise<CliError> {
  const { status } = response
  const text = await response.text()
  const away = status >= 500 || status === 429
  try {
    const { code = status, detail = text, next, retryable = away } = JSON.parse(text) as Problem
    const message = `${code}: ${detail}${next === undefined ? '' : `\n${next}`}`
    return new CliError(message, { passes: retryable })
  } catch {
    // Not a problem document: a proxy in between, perhaps. What it said is all there is.
    return new CliError(`${status}: ${text.slice(0, 500)}`, { passes: away })
  }
}
