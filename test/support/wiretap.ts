import type { ClientOptions } from '../../src/client/create-client.ts'

type Taps = Required<Pick<ClientOptions, 'WebSocket' | 'fetch'>>

/** All that one client says and hears, over sockets and by requests. */
export class Wiretap {
  /** Frames, as text, in order. */
  readonly sent: string[] = []
  readonly heard: string[] = []
  /** Requests: method, address and body. */
  readonly requests: string[] = []
  sockets = 0
  /** What to give to `createClient`. */
  readonly options: Taps

  constructor() {
    const { sent, heard, requests } = this
    const opened = (): void => {
      this.sockets += 1
    }
    const TappedSocket = class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        opened()
        this.addEventListener('message', ({ data }) => heard.push(String(data)))
      }

      override send(data: string): void {
        sent.push(data)
        super.send(data)
      }
    }
    this.options = {
      WebSocket: TappedSocket,
      fetch: (url, init) => {
        requests.push(JSON.stringify([init.method ?? 'GET', url, init.body ?? null]))
        return fetch(url, init)
      },
    }
  }

  /** The frames of a type that were heard, read. */
  frames(type: string): readonly Readonly<Record<string, unknown>>[] {
    return this.heard
      .map((text) => JSON.parse(text) as Readonly<Record<string, unknown>>)
      .filter((frame) => frame['type'] === type)
  }
}
