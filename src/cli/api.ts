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
}

export function createApi(url: string, key: string): Api {
  const base = url.replace(/\/+$/, '')
  return {
    url: base,
    request: async (path, init = {}) => {
      const response = await send(`${base}${path}`, key, init)
      if (!response.ok) throw new CliError(await describeProblem(response))
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
    throw new CliError(`unable to reach ${new URL(url).origin}; is the server running?`, { cause })
  }
}

async function describeProblem(response: Response): Promise<string> {
  const text = await response.text()
  try {
    const problem = JSON.parse(text) as { code?: string; detail?: string; next?: string }
    return `${problem.code ?? response.status}: ${problem.detail ?? text}${problem.next === undefined ? '' : `\n${problem.next}`}`
  } catch {
    // Not a problem document: a proxy in between, perhaps. What it said is all there is.
    return `${response.status}: ${text.slice(0, 500)}`
  }
}
