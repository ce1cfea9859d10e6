import { expect } from 'vitest'
import type { HttpServer } from './http-server.ts'
import { SseClient } from './sse-client.ts'

/**
 * Somebody on another session while others misbehave: it goes on getting every event, gets nothing else, and the server takes nothing of
 * it for its own mistake.
 */
export class Witness {
  readonly #server: HttpServer
  readonly #reader: SseClient
  #appended = 0

  private constructor(server: HttpServer, reader: SseClient) {
    this.#server = server
    this.#reader = reader
  }

  static async on(server: HttpServer): Promise<Witness> {
    await server.ask('PUT', '/v1/sessions/witness')
    const reader = await SseClient.open(server, '/v1/sessions/witness/events?after=1')
    await reader.until(({ event }) => event === 'attached')
    return new Witness(server, reader)
  }

  async noticesNothing(): Promise<void> {
    const body = { type: 'x.note', data: { mark: ++this.#appended } }
    const { status, json } = await this.#server.ask('POST', '/v1/sessions/witness/events', { body })
    expect(status).toBe(200)
    await this.#reader.until(({ data }) => JSON.stringify(data).includes(`"serial":${json.last},`))
    expect(this.#reader.events.map(({ data }) => data)).toEqual(
      Array.from({ length: this.#appended }, (_, index) => ({ mark: index + 1 })),
    )
    const kinds = new Set(this.#reader.messages.map(({ event }) => event))
    expect([...kinds].filter((kind) => !EXPECTED.has(kind))).toEqual([])
    expect(this.#reader.ended).toBe(false)
    expect(this.#server.errors()).toEqual([])
  }

  close(): void {
    this.#reader.close()
  }
}

const EXPECTED = new Set(['heartbeat', 'attached', 'events'])
