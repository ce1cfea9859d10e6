/** So long after the last word in it a session is removed. */
const KEPT_MS = 7 * 24 * 3_600_000

/** What the demo asks of Heldline beside what `heldline/agent` does: plain HTTP with a key. */
export class AgentApi {
  readonly url: string
  readonly key: string

  constructor(url: string, key: string) {
    this.url = url
    this.key = key
  }

  async open(session: string): Promise<void> {
    const body = { metadata: { demo: true }, ttlMs: KEPT_MS }
    // One that is kept for another time is there, too: an earlier version made it.
    await this.#call('PUT', `/v1/sessions/${session}`, body, ['session_exists'])
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
    accepted: readonly string[] = [],
  ): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // The server's own answer, also where it refuses.
    const answer = (await response.json()) as { readonly code?: string }
    if (response.ok || accepted.includes(answer.code ?? '')) return answer
    throw new Error(`unable to ${method} ${path.split('?')[0]}; ${response.status}`)
  }
}
