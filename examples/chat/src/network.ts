// The network of this page, to be broken at will: everything that the client sends and hears goes through here.
import type { ClientOptions } from 'heldline/client'

type WebSocketConstructor = NonNullable<ClientOptions['WebSocket']>
type Fetch = NonNullable<ClientOptions['fetch']>

export type Line = 'fine' | 'slow' | 'away'

const SLOW_MS = 500

export class Network {
  readonly WebSocket: WebSocketConstructor
  readonly fetch: Fetch
  readonly #sockets = new Set<BreakableSocket>()
  readonly #listeners = new Set<() => void>()
  #line: Line = 'fine'

  constructor() {
    const sockets = this.#sockets
    const line = (): Line => this.#line
    this.WebSocket = class extends BreakableSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols, line)
        sockets.add(this)
        this.addEventListener('close', () => sockets.delete(this))
      }
    }
    this.fetch = async (input, init) => {
      if (this.#line === 'away') throw new TypeError('network error')
      if (this.#line === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS))
      return globalThis.fetch(input, init)
    }
  }

  /** Bound, for an external store. */
  readonly line = (): Line => this.#line

  /** Bound. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  set(line: Line): void {
    this.#line = line
    if (line === 'away') this.cut()
    for (const listener of this.#listeners) listener()
  }

  /** Ends every connection, without a word, as a tunnel does to a train. */
  cut(): void {
    for (const socket of this.#sockets) socket.cut()
  }
}

class BreakableSocket extends EventTarget {
  readonly #socket: WebSocket | null
  readonly #line: () => Line
  #over = false
  #late = Promise.resolve()

  constructor(url: string, protocols: string[], line: () => Line) {
    super()
    this.#line = line
    this.#socket = line() === 'away' ? null : new WebSocket(url, protocols)
    if (this.#socket === null) queueMicrotask(() => this.cut())
    const pass = (event: Event): void => this.#deliver(() => this.dispatchEvent(again(event)))
    for (const name of ['open', 'message', 'error']) this.#socket?.addEventListener(name, pass)
    this.#socket?.addEventListener('close', (event) => this.#end(event.code))
  }

  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  send(text: string): void {
    if (!this.#over) this.#deliver(() => this.#socket?.send(text))
  }

  close(code?: number): void {
    this.#socket?.close(code)
  }

  cut(): void {
    this.#end(1006)
    this.#socket?.close()
  }

  #end(code: number): void {
    if (this.#over) return
    this.#over = true
    this.dispatchEvent(new CloseEvent('close', { code, wasClean: false }))
  }

  /** In order, and late where the line is slow. */
  #deliver(act: () => void): void {
    const ms = this.#line() === 'slow' ? SLOW_MS : 0
    const due = performance.now() + ms
    this.#late = this.#pass(this.#late, due, act)
  }

  async #pass(before: Promise<void>, due: number, act: () => void): Promise<void> {
    await before
    const left = due - performance.now()
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left))
    if (!this.#over) act()
  }
}

/** An event can be dispatched once. */
function again(event: Event): Event {
  return event instanceof MessageEvent
    ? new MessageEvent('message', { data: event.data })
    : new Event(event.type)
}
