/** What the demo asks of Heldline beside what `heldline/agent` does: plain HTTP with a key. */
export class AgentApi {
  readonly url: string
  readonly key: string

  constructor(url: string, key: string) {
    this.url = url
    this.key = key
  }

  async open(session: string): Promise<void> {
    await this.#call('PUT', `/v1/sessions/${session}`, { metadata: { demo: true } })
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

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!response.ok)
      throw new Error(`unable to ${method} ${path.split('?')[0]}; ${response.status}`)
    return response.json()
  }
}
