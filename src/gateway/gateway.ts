import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws'
import type { Grant } from '../core/access.ts'
import type { ConnectionPorts } from '../core/connection.ts'
import type { Door } from '../core/door.ts'
import { expected } from '../core/error-frame.ts'
import type { Random } from '../core/random.ts'
import { errorRow, HeldlineError } from '../protocol/errors.ts'
import { PROTOCOL } from '../protocol/version.ts'
import { AddressLimits, type AddressBounds, type Place } from './address-limits.ts'
import { Connections } from './connections.ts'
import { Guest } from './guest.ts'
import { doorOf, handshake, type HandshakePorts } from './handshake.ts'
import type { Held } from './held.ts'
import { Places } from '../core/places.ts'
import { Socket, type Client } from './socket.ts'

export interface GatewayPorts extends ConnectionPorts, HandshakePorts {
  readonly random: Random
  readonly maxConnections: number
  /** Without it, one address may have as many as all together. */
  readonly perAddress?: AddressBounds
  /** Handshakes whose credentials are being checked at one time; others wait, and are not refused. 500 unless said. */
  readonly maxHandshakes?: number
  /** What else is spoken, each at its own path. */
  readonly doors?: readonly Door[]
}

const PING_FLOOD = 30
const MAX_HANDSHAKES = 500

/** The WebSocket face: takes upgrades of an HTTP server at `/v1/connect` and at its doors, and looks after the sockets until they are gone. */
export class Gateway {
  readonly #ports: GatewayPorts
  /** By the door; our own has none. */
  readonly #wss: ReadonlyMap<Door | null, WebSocketServer>
  readonly #connections: Connections
  readonly #server: Server
  readonly #onUpgrade = (request: IncomingMessage, raw: Duplex, head: Buffer): void => {
    void this.#upgrade(request, raw, head)
  }
  readonly #checks: Places
  readonly #addresses: AddressLimits
  /** Under way, those that wait for a check included: a node is full with them, too. */
  #handshakes = 0
  #draining = false
  readonly #revoked: { close(): void } | undefined

  constructor(server: Server, ports: GatewayPorts) {
    this.#ports = ports
    this.#server = server
    this.#connections = new Connections(ports.clock, ports.limits.heartbeatMs)
    this.#addresses = new AddressLimits(ports.perAddress ?? { all: null, unproven: null })
    this.#checks = new Places(ports.maxHandshakes ?? MAX_HANDSHAKES)
    const own = socketOptions(ports.limits.maxFrameBytes, () => PROTOCOL)
    this.#wss = new Map([
      [null, new WebSocketServer(own)],
      ...(ports.doors ?? []).map((door) => [door, serverOf(door)] as const),
    ])
    server.on('upgrade', this.#onUpgrade)
    this.#revoked = ports.revocations?.onRevoked(() => {
      for (const socket of this.#connections.all()) socket.endIfRevoked()
    })
  }

  get size(): number {
    return this.#connections.size
  }

  /** Tells every client to go elsewhere, each at its own moment within `overMs`, and closes those that stay. */
  async drain(overMs: number): Promise<void> {
    this.#draining = true
    const { clock, random } = this.#ports
    for (const socket of this.#connections.all()) {
      socket.leave(random.fraction() * overMs * 0.8)
    }
    await new Promise<void>((resolve) => {
      const look = (leftMs: number): void => {
        if (this.#connections.size === 0 || leftMs <= 0) resolve()
        else clock.after(Math.min(100, leftMs), () => look(leftMs - 100))
      }
      look(overMs)
    })
    for (const socket of this.#connections.all()) socket.goDown()
  }

  /** Ends every socket. Idempotent. */
  close(): void {
    this.#draining = true
    this.#server.off('upgrade', this.#onUpgrade)
    this.#connections.close()
    this.#revoked?.close()
    for (const socket of this.#connections.all()) {
      socket.goDown()
      socket.terminate()
    }
    for (const server of this.#wss.values()) server.close()
  }

  async #upgrade(request: IncomingMessage, raw: Duplex, head: Buffer): Promise<void> {
    // Before anything is awaited: a reset meanwhile must not end the process.
    raw.on('error', ignoreSocketError)
    let place: Place | null = null
    try {
      const door = doorOf(request, this.#ports.doors ?? [])
      const address = this.#ports.addressOf(request)
      place = this.#addresses.enter(address)
      raw.once('close', () => place?.leave())
      const grant = await this.#admit(request, raw, door)
      if (raw.destroyed) return
      if (grant === null) place.waitForProof()
      const client = { id: this.#ports.random.id(), address, grant, place }
      this.#wss.get(door)?.handleUpgrade(request, raw, head, (ws) => {
        this.#hold(ws, this.#socket(ws, raw, door, client), door)
      })
    } catch (error) {
      place?.leave()
      this.#refuse(raw, error)
    }
  }

  async #admit(request: IncomingMessage, raw: Duplex, door: Door | null): Promise<Grant | null> {
    if (this.#draining) throw draining()
    if (this.#connections.size + this.#handshakes >= this.#ports.maxConnections) {
      throw new HeldlineError('connection_limit', 'unable to connect; this node is full', {
        retryAfterMs: 5000,
      })
    }
    this.#handshakes++
    try {
      const grant = await this.#checks.run(async () => {
        // Whoever had to wait may have gone, and so may this node.
        if (raw.destroyed) return null
        if (this.#draining) throw draining()
        return handshake(request, this.#ports, door)
      })
      if (grant !== null || door === null || raw.destroyed) return grant
      throw new HeldlineError('unauthenticated', 'unable to connect; show credentials')
    } finally {
      this.#handshakes--
    }
  }

  #socket(ws: WebSocket, raw: Duplex, door: Door | null, client: Client): Held {
    const { grant } = client
    if (door !== null && grant !== null) return new Guest(ws, raw, door, grant, this.#ports)
    return new Socket(ws, raw, client, this.#ports)
  }

  #hold(ws: WebSocket, socket: Held, door: Door | null): void {
    const { metrics } = this.#ports
    const carrier = door === null ? 'websocket' : 'ai_sdk'
    this.#connections.add(socket)
    metrics?.opened(carrier)
    ws.on('close', (code) => {
      this.#connections.remove(socket)
      metrics?.closed(carrier, socket.endedWith ?? code)
    })
    // Between the look at its token and this moment, nobody would have told it.
    socket.endIfRevoked()
  }

  /** A refused handshake is an HTTP answer: the same problem as on any other path. */
  #refuse(raw: Duplex, error: unknown): void {
    const known = expected(error)
    const row = errorRow(known.code)
    this.#ports.metrics?.refused('handshake', known.code)
    if (known.code === 'internal') this.#ports.log.error('gateway.upgrade_failed', { error })
    const body = JSON.stringify({
      type: `urn:heldline:error:${known.code}`,
      title: row.title,
      status: row.status,
      code: known.code,
      detail: known.message,
      retryable: row.retryable,
      next: row.next,
    })
    const retry =
      known.retryAfterMs === undefined
        ? ''
        : `Retry-After: ${Math.ceil(known.retryAfterMs / 1000)}\r\n`
    const authenticate = row.status === 401 ? 'WWW-Authenticate: Bearer\r\n' : ''
    raw.end(
      `HTTP/1.1 ${row.status} ${STATUS_CODES[row.status] ?? ''}\r\n` +
        `Content-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
        `${authenticate}${retry}Connection: close\r\nX-Content-Type-Options: nosniff\r\n\r\n${body}`,
    )
    raw.once('finish', () => raw.destroy())
  }
}

function serverOf({ maxFrameBytes, protocol }: Door): WebSocketServer {
  return new WebSocketServer(
    socketOptions(maxFrameBytes, (offered) => offered.has(protocol) && protocol),
  )
}

/** Every bound that `ws` knows. A variable, since the types that we have lag behind its options. */
function socketOptions(
  maxPayload: number,
  handleProtocols: (offered: Set<string>) => string | false,
): ServerOptions {
  const options = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    maxPayload,
    maxFragments: 64,
    maxBufferedChunks: 1024,
    maxPendingAutoPongs: PING_FLOOD,
    closeTimeout: 5000,
    handleProtocols,
  }
  return options
}

function draining(): HeldlineError {
  return new HeldlineError('draining', 'unable to connect; this node goes down', {
    retryAfterMs: 1000,
  })
}

/** The `close` event that follows says all there is to say. */
function ignoreSocketError(): void {}
