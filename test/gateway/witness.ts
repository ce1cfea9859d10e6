import { expect } from 'vitest'
import { KEY, type GatewayServer } from './gateway-server.ts'
import { RawSocket } from './raw-socket.ts'

/**
 * Somebody on another session while others misbehave: it goes on getting every event, gets nothing else, and the server takes nothing of
 * it for its own mistake.
 */
export class Witness {
  readonly #server: GatewayServer
  readonly #socket: RawSocket
  #appended = 0

  private constructor(server: GatewayServer, socket: RawSocket) {
    this.#server = server
    this.#socket = socket
  }

  static async on(server: GatewayServer): Promise<Witness> {
    const position = await server.open('witness')
    const socket = new RawSocket({ port: server.port, headers: { Authorization: `Bearer ${KEY}` } })
    await socket.untilStatus()
    socket.send({ op: 'attach', ref: 'w', session: 'witness', position })
    await socket.untilFrame(({ type }) => type === 'attached')
    return new Witness(server, socket)
  }

  /** An event of now comes to it, and so does nothing that anybody else did before. */
  async noticesNothing(): Promise<void> {
    const serial = await this.#server.append('witness', { mark: ++this.#appended })
    await this.#socket.untilFrame(
      (frame) => frame.type === 'events' && JSON.stringify(frame).includes(`"serial":${serial},`),
    )
    const others = this.#socket.frames.filter(({ type }) => !EXPECTED.has(type))
    expect(others).toEqual([])
    const events = this.#socket.frames.flatMap((frame) =>
      frame.type === 'events' ? (frame['events'] as { data: unknown }[]) : [],
    )
    expect(events.map(({ data }) => data)).toEqual(
      Array.from({ length: this.#appended }, (_, index) => ({ mark: index + 1 })),
    )
    expect(this.#socket.ended).toBe(false)
    expect(this.#server.errors).toEqual([])
  }

  close(): Promise<void> {
    return this.#socket.reset()
  }
}

const EXPECTED = new Set(['welcome', 'heartbeat', 'attached', 'events'])
