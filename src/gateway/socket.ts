import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { Connection, type ConnectionPorts } from '../core/connection.ts'
import type { Grant } from '../core/access.ts'
import type { Frame } from '../core/frame.ts'
import type { Transport } from '../core/outbox.ts'
import type { Place } from './address-limits.ts'
import { atEndOfTurn } from './end-of-turn.ts'
import { frameBytes, PING } from './frame-bytes.ts'
import { GOING_DOWN, type Held } from './held.ts'
import { Pulse } from './pulse.ts'

/** Who is at the other end, as far as the handshake tells. */
export interface Client {
  readonly id: string
  readonly address: string
  /** `null`: the first frame must bring credentials. */
  readonly grant: Grant | null
  /** What it takes of what its address may have; without it, there are no bounds. */
  readonly place?: Place
}

/** What `ws` says where the other side has not closed, but is gone. */
const NO_CLOSE_FRAME = 1006

/** One WebSocket and the connection that lives on it: bytes here, meaning there. */
export class Socket implements Transport, Held {
  readonly connection: Connection
  readonly address: string
  readonly #ws: WebSocket
  readonly #raw: Duplex
  #corked = false
  readonly #uncork = (): void => {
    this.#corked = false
    this.#raw.uncork()
  }
  readonly #pulse = new Pulse()
  readonly #place: Place | undefined
  readonly #metrics: ConnectionPorts['metrics']
  #endedWith: number | null = null

  /** @param raw the stream under the WebSocket: ready-made frames are written to it whole, between those of `ws` */
  constructor(ws: WebSocket, raw: Duplex, client: Client, ports: ConnectionPorts) {
    this.address = client.address
    this.#place = client.place
    this.#ws = ws
    this.#raw = raw
    this.#metrics = ports.metrics
    this.connection = new Connection(client.id, ports, this, client.grant)
    raw.on('drain', () => this.connection.pump())
    ws.on('message', (data, isBinary) => this.#receive(data, isBinary))
    ws.on('pong', () => this.#pulse.heard())
    ws.on('close', (code) => this.connection.lost(code === NO_CLOSE_FRAME))
    // `close` follows every error, and the client's code says what went wrong; there is nobody else to tell.
    ws.on('error', () => undefined)
  }

  get endedWith(): number | null {
    return this.#endedWith
  }

  get bufferedBytes(): number {
    return this.#raw.writableLength
  }

  send(frame: Frame): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return
    const bytes = frameBytes(frame)
    this.#write(bytes)
    this.#metrics?.sent('websocket', bytes.length)
  }

  proven(): void {
    this.#place?.proven()
  }

  close(code: number, reason: string): void {
    this.#endedWith ??= code
    this.#ws.close(code, reason.slice(0, 123))
  }

  beat(): void {
    if (!this.#pulse.beat(this.bufferedBytes)) {
      this.#metrics?.unanswered()
      this.connection.close(4408, 'no pong')
      this.#ws.terminate()
      return
    }
    if (this.#ws.readyState === this.#ws.OPEN) this.#write(PING)
    this.connection.heartbeat()
    this.connection.check()
  }

  endIfRevoked(): void {
    this.connection.endIfRevoked()
  }

  leave(afterMs: number): void {
    this.connection.goaway('restart', afterMs)
  }

  goDown(): void {
    this.connection.close(1012, GOING_DOWN)
  }

  /** Ends it now, without waiting for the other side. */
  terminate(): void {
    this.#ws.terminate()
  }

  /** What is written within one turn goes out in one write: many answers to one client cost as much as one, a heartbeat and its ping as much as a ping. */
  #write(bytes: Buffer): void {
    if (!this.#corked) {
      this.#corked = true
      this.#raw.cork()
      atEndOfTurn(this.#uncork)
    }
    this.#raw.write(bytes)
  }

  #receive(data: WebSocket.RawData, isBinary: boolean): void {
    this.#pulse.heard()
    if (isBinary) return this.connection.close(1003, 'binary frame; send text')
    // With the default binaryType a message is one Buffer; ws has checked that it is UTF-8.
    this.connection.receive((data as Buffer).toString())
  }
}
