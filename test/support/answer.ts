import { pause } from './until.ts'

const MAX_TRIES = 400

/** A server, in this process or another. */
export interface Place {
  readonly url: string
  readonly key: string
}

/** An agent's answer of many small pieces, the text that they make, and a way to publish it over HTTP. */
export class Answer {
  readonly pieces: readonly string[]
  readonly #server: Place
  readonly #session: string

  constructor(server: Place, session: string, deltas: number) {
    this.#server = server
    this.#session = session
    this.pieces = Array.from({ length: deltas }, (_, n) => `w${n}${n % 17 === 0 ? ' 🧵\n' : ' '}`)
  }

  get text(): string {
    return this.pieces.join('')
  }

  async open(): Promise<void> {
    await this.#call('PUT', '', {})
    await this.#append({
      type: 'message.started',
      id: 'start',
      data: { message: 'answer', role: 'assistant' },
    })
  }

  async delta(index: number): Promise<void> {
    const data = { message: 'answer', text: this.pieces[index] }
    await this.#append({ type: 'message.delta', id: `d${index}`, data })
  }

  async complete(): Promise<void> {
    await this.#append({ type: 'message.completed', id: 'end', data: { message: 'answer' } })
  }

  async token(subject: string): Promise<string> {
    const response = await fetch(`${this.#server.url}/v1/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#server.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        subject,
        sessions: [this.#session],
        capabilities: ['subscribe', 'history', 'send'],
        ttlMs: 3_600_000,
      }),
    })
    return ((await response.json()) as { token: string }).token
  }

  /** Until it is known to stand: the ids make every further try harmless. */
  async #append(event: unknown): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await this.#call('POST', '/events', event)
      } catch (error) {
        if (tries >= MAX_TRIES) throw error
        await pause(50)
      }
    }
  }

  async #call(method: string, path: string, body: unknown): Promise<void> {
    const response = await fetch(`${this.#server.url}/v1/sessions/${this.#session}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#server.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`unable to ${method}; ${await response.text()}`)
  }
}
