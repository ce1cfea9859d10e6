import { WebSocket } from 'ws'
import type { WebSocketLike } from '../../../src/client/transport/websocket.ts'

/** A real socket for jsdom's pages. Their own is one of Node's, which stumbles over the events of jsdom. */
export class Socket implements WebSocketLike {
  readonly #socket: WebSocket

  constructor(url: string, protocols: string[]) {
    this.#socket = new WebSocket(url, protocols)
    this.#socket.on('error', () => undefined)
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount
  }

  get closed(): boolean {
    return this.#socket.readyState === WebSocket.CLOSED
  }

  addEventListener(
    name: 'open' | 'message' | 'close' | 'error',
    run: (event: Event) => void,
  ): void {
    if (name === 'message') {
      this.#socket.on('message', (data: Buffer) =>
        run(new MessageEvent(name, { data: data.toString() })),
      )
    } else if (name === 'close') {
      this.#socket.on('close', (code) => run(new CloseEvent(name, { code })))
    } else {
      this.#socket.on(name, () => run(new Event(name)))
    }
  }

  send(text: string): void {
    this.#socket.send(text)
  }

  close(code?: number): void {
    this.#socket.close(code)
  }
}
