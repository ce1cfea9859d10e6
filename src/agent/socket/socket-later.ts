import type { Clock } from '../../sdk/clock.ts'
import type { Credentials } from '../credentials.ts'

/** The part of the WebSocket API that is used, so that any implementation will do. */
export interface WebSocketLike {
  addEventListener(name: 'open' | 'message' | 'close' | 'error', run: (event: Event) => void): void
  send(text: string): void
  close(code?: number): void
}
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

export interface SocketPorts {
  /** `ws://…/v1/connect`. */
  readonly url: string
  readonly WebSocket: WebSocketConstructor
  readonly credentials: Credentials
  readonly clock: Clock
  readonly random: () => number
}

export interface BeatRequest {
  readonly session: string
  readonly run: string
  readonly epoch: number
}

/** What stands for the process while runs live in it. [P-10.12] */
export interface Beats {
  /** @param changed told when the socket is open, and when it is lost @returns lets go of it: held by nobody, it is closed. Idempotent */
  hold(changed: (open: boolean) => void): () => void
  /**
   * @returns what a heartbeat over HTTP answers; `null` where no socket is open, or it has as many beats as it may carry now
   * @throws AgentError as over HTTP; `disconnected` where the socket was lost meanwhile
   */
  beat(request: BeatRequest): Promise<Readonly<Record<string, unknown>>> | null
}

/** The socket's code is loaded when a run first wants it. Where it cannot be, all goes over HTTP. */
export class SocketLater implements Beats {
  readonly #ports: SocketPorts
  #loading: Promise<Beats> | null = null
  #socket: Beats | null = null

  constructor(ports: SocketPorts) {
    this.#ports = ports
  }

  hold(changed: (open: boolean) => void): () => void {
    let held = true
    let letGo: (() => void) | undefined
    const begin = async (): Promise<void> => {
      const socket = await (this.#loading ??= this.#load())
      if (held) letGo = socket.hold(changed)
    }
    begin().catch(() => undefined)
    return () => {
      held = false
      letGo?.()
    }
  }

  beat(request: BeatRequest): ReturnType<Beats['beat']> {
    return this.#socket?.beat(request) ?? null
  }

  async #load(): Promise<Beats> {
    const { BeatSocket } = await import('./beat-socket.ts')
    return (this.#socket = new BeatSocket(this.#ports))
  }
}
