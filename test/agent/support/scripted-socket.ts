import type { WebSocketConstructor, WebSocketLike } from '../../../src/agent/index.ts'

export type Frame = Readonly<Record<string, unknown>>

/** A socket whose other end is the test. */
export class ScriptedSocket extends EventTarget implements WebSocketLike {
  readonly url: string
  readonly protocols: readonly string[]
  readonly sent: Frame[] = []
  closedWith: number | null | undefined = null

  constructor(url: string, protocols: string[]) {
    super()
    this.url = url
    this.protocols = protocols
  }

  get beats(): readonly Frame[] {
    return this.sent.filter(({ op }) => op === 'beat')
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Frame)
  }

  close(code?: number): void {
    this.closedWith = code
  }

  tell(frame: Frame): void {
    this.#dispatch('message', { data: JSON.stringify(frame) })
  }

  open(): void {
    this.#dispatch('open', {})
  }

  garbage(): void {
    for (const data of ['null', '}', new ArrayBuffer(1)]) this.#dispatch('message', { data })
  }

  answer(beat: Frame | undefined, run: Frame): void {
    this.tell({ type: 'ok', ref: beat?.['ref'], run })
  }

  refuse(beat: Frame | undefined, code: string, retryable = false): void {
    const facts = { epoch: 2 }
    this.tell({ type: 'error', ref: beat?.['ref'], code, message: code, retryable, facts })
  }

  lose(code = 1006): void {
    this.#dispatch('error', {})
    this.#dispatch('close', { code })
  }

  #dispatch(name: string, fields: object): void {
    this.dispatchEvent(Object.assign(new Event(name), fields))
  }
}

/** All sockets that somebody opened, the latest last. */
export function scriptedSockets(): {
  readonly WebSocket: WebSocketConstructor
  readonly all: readonly ScriptedSocket[]
  readonly last: () => ScriptedSocket
} {
  const all: ScriptedSocket[] = []
  class Scripted extends ScriptedSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      all.push(this)
    }
  }
  const last = (): ScriptedSocket => {
    const socket = all.at(-1)
    if (socket === undefined) throw new Error('nobody has opened a socket')
    return socket
  }
  return { WebSocket: Scripted, all, last }
}
