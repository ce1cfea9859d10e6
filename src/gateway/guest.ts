import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Grant, Revocations } from '../core/access.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { Door, Line, Visitor } from '../core/door.ts'
import type { Metrics } from '../core/metrics.ts'
import { CLOSE } from '../protocol/close-codes.ts'
import { GOING_DOWN, type Held } from './held.ts'
import { Pulse } from './pulse.ts'

interface GuestPorts {
  readonly clock: Clock
  readonly metrics?: Metrics
  readonly revocations?: Revocations
}

/** One WebSocket over which another language is spoken: its bytes, its pulse and its end are those of any socket here. */
export class Guest implements Line, Held {
  readonly #ws: WebSocket
  readonly #raw: Duplex
  readonly #clock: Clock
  readonly #visitor: Visitor
  readonly #pulse = new Pulse()
  readonly #metrics: Metrics | undefined
  readonly #isRevoked: () => boolean
  #endedWith: number | null = null
  #leaving: Timer | null = null

  constructor(ws: WebSocket, raw: Duplex, door: Door, grant: Grant, ports: GuestPorts) {
    this.#ws = ws
    this.#raw = raw
    this.#clock = ports.clock
    this.#metrics = ports.metrics
    this.#isRevoked = () => ports.revocations?.has(grant) === true
    this.#visitor = door.open(this, grant)
    raw.on('drain', () => this.#visitor.drained())
    ws.on('message', (data, isBinary) => this.#receive(data, isBinary))
    ws.on('pong', () => this.#pulse.heard())
    ws.on('close', () => {
      this.#leaving?.cancel()
      this.#visitor.lost()
    })
    // `close` follows every error, and the client's code says what went wrong; there is nobody else to tell.
    ws.on('error', () => undefined)
  }

  get endedWith(): number | null {
    return this.#endedWith
  }

  get bufferedBytes(): number {
    return this.#raw.writableLength
  }

  send(text: string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    this.#ws.send(text)
    this.#metrics?.sent('ai_sdk', Buffer.byteLength(text))
  }

  close(code: number, reason: string): void {
    this.#endedWith ??= code
    this.#ws.close(code, reason.slice(0, 123))
  }

  beat(): void {
    if (!this.#pulse.beat(this.bufferedBytes)) {
      this.#metrics?.unanswered()
      this.close(4408, 'no pong')
      this.#ws.terminate()
      return
    }
    this.#ws.ping()
    this.#visitor.beat()
  }

  endIfRevoked(): void {
    if (this.#isRevoked()) this.close(CLOSE.unauthenticated, 'the token was revoked')
  }

  /** There is no word for it in other languages: the socket is closed when its time has come, and its client resumes elsewhere. */
  leave(afterMs: number): void {
    this.#leaving ??= this.#clock.after(afterMs, () => this.goDown())
  }

  goDown(): void {
    this.close(1012, GOING_DOWN)
  }

  terminate(): void {
    this.#ws.terminate()
  }

  #receive(data: WebSocket.RawData, isBinary: boolean): void {
    this.#pulse.heard()
    if (isBinary) return this.close(1003, 'binary frame; send text')
    // With the default binaryType a message is one Buffer; ws has checked that it is UTF-8.
    this.#visitor.receive((data as Buffer).toString())
  }
}
