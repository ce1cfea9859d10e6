import { until } from '../support/until.ts'
import type { Ask, HttpServer } from './http-server.ts'

export interface SseMessage {
  readonly event: string
  readonly id: string | null
  /** The data as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test names the fields that it expects
  readonly data: any
}

/** Reads an event stream by the letter of its specification. */
export class SseClient {
  readonly messages: SseMessage[] = []
  readonly response: Response
  /** All that came, as it came. */
  text = ''
  ended = false
  readonly #stop: AbortController
  #rest = ''

  private constructor(response: Response, stop: AbortController) {
    this.response = response
    this.#stop = stop
    void this.#read()
  }

  static async open(server: HttpServer, path: string, ask: Ask = {}): Promise<SseClient> {
    const stop = new AbortController()
    const headers = { accept: 'text/event-stream', ...ask.headers }
    const response = await server.fetch('GET', path, { ...ask, headers, signal: stop.signal })
    return new SseClient(response, stop)
  }

  async until(matches: (message: SseMessage) => boolean): Promise<SseMessage> {
    await until('the message comes', () => this.messages.some(matches), {
      withinMs: 8000,
      instead: () => ({ messages: this.messages.slice(-4), ended: this.ended }),
    })
    const found = this.messages.find(matches)
    if (found === undefined) throw new Error('it was there a moment ago')
    return found
  }

  /** The events of the log that have come, in the order in which they came. */
  get events(): readonly { readonly serial: number; readonly data: unknown }[] {
    return this.messages.flatMap(({ event, data }) => (event === 'events' ? data.events : []))
  }

  /** The position that a browser would resume from. */
  get lastId(): string | null {
    return this.messages.findLast(({ id }) => id !== null)?.id ?? null
  }

  async untilEnd(): Promise<void> {
    await until('the stream ends', () => this.ended, { withinMs: 8000 })
  }

  close(): void {
    this.#stop.abort()
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    try {
      for await (const chunk of this.response.body ?? []) {
        const text = decoder.decode(chunk, { stream: true })
        this.text += text
        this.#take(text)
      }
    } catch {
      // Cut by us, or by the server: either way it is over.
    }
    this.ended = true
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const lines = block.split('\n').filter((line) => !line.startsWith(':'))
      const field = (name: string): string[] =>
        lines
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
      const data = field('data')
      if (data.length === 0) continue
      const [event = ''] = field('event')
      this.messages.push({ event, id: field('id')[0] ?? null, data: JSON.parse(data.join('\n')) })
    }
  }
}
