import type { Message } from '../protocol/fold/message.ts'

/** Heldline as an agent sees it: plain HTTP with a key. Nothing here is special to the demo. */
export class AgentApi {
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
  }

  async open(session: string): Promise<void> {
    await this.#call('PUT', `/v1/sessions/${session}`, { metadata: { demo: true } })
  }

  /** An event with an id of its own may be sent any number of times: it stands once. */
  async append(session: string, event: { id: string; type: string; data: unknown }): Promise<void> {
    await this.#call('POST', `/v1/sessions/${session}/events`, event)
  }

  async messages(session: string): Promise<{ messages: readonly Message[]; position: string }> {
    return (await this.#call('GET', `/v1/sessions/${session}/messages?limit=100`)) as {
      messages: Message[]
      position: string
    }
  }

  /** Waits until something follows the position. @returns where the log stands then */
  async next(session: string, position: string, signal: AbortSignal): Promise<string> {
    const query = new URLSearchParams({ after: position, wait: '25', limit: '1000' })
    const page = (await this.#call(
      'GET',
      `/v1/sessions/${session}/events?${query}`,
      undefined,
      signal,
    )) as {
      position: string
    }
    return page.position
  }

  async sessions(prefix: string): Promise<string[]> {
    const ids: string[] = []
    let cursor: string | null = null
    do {
      const query = new URLSearchParams({
        prefix,
        limit: '100',
        ...(cursor !== null && { cursor }),
      })
      const page = (await this.#call('GET', `/v1/sessions?${query}`)) as {
        sessions: { session: string }[]
        cursor: string | null
      }
      ids.push(...page.sessions.map((entry) => entry.session))
      cursor = page.cursor
    } while (cursor !== null && ids.length < 200)
    return ids
  }

  async #call(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    if (!response.ok)
      throw new Error(`unable to ${method} ${path.split('?')[0]}; ${response.status}`)
    return response.json()
  }
}
