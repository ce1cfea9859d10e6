import { WebSocket } from 'ws'
import { type History, seen, type WireEventLike } from './history.ts'
import { format, parse, type Place, stops } from './protocol-rules.ts'
import { Patience } from './protocol-patience.ts'
import { until } from './until.ts'

export interface ClientOptions {
  readonly name: string
  /** The nodes; each new connection goes to the next one. */
  readonly urls: readonly string[]
  readonly session: string
  readonly credential: string
  readonly history: History
  /** Where to begin; without it, with a snapshot. */
  readonly position?: string
  readonly catchup?: 'auto' | 'events'
  readonly presence?: Readonly<Record<string, unknown>>
  /** How long events that a heartbeat speaks of may take, and how long the line may be silent. [P-4.10] */
  readonly behindMs?: number
  readonly silentMs?: number
}

/** A frame from the server: fields are looked at where they are used, as any client would. */
interface Down {
  readonly type: string
  readonly [field: string]: unknown
}

const RETRY_MS = [20, 50, 100, 250]
/**
 * A client of one session, written from PROTOCOL.md alone. It attaches, keeps its position by the rule of the line, connects again, to another node each
 * time, and writes down everything that it is told.
 */
export class ProtocolClient {
  readonly name: string
  readonly frames: Down[] = []
  readonly #options: ClientOptions
  #socket: WebSocket | null = null
  /** The socket that takes over after a goaway, until it is attached. */
  #next: WebSocket | null = null
  #place: Place | null = null
  #pending: 'nothing' | 'attach' | 'snapshot' = 'nothing'
  #turn: number
  #failures = 0
  #refs = 0
  readonly #patience = new Patience()
  #ended = false
  #attached = false
  connects = 0
  /** Heartbeats heard: a clock that the server keeps. */
  heartbeats = 0
  /** Why it will not connect again, where it will not. */
  stopped: number | null = null

  constructor(options: ClientOptions, firstNode = 0) {
    this.#options = options
    this.name = options.name
    this.#turn = firstNode
    if (options.position !== undefined) this.#place = parse(options.position)
    this.#socket = this.#connect()
  }

  get position(): string | null {
    return this.#place === null ? null : format(this.#place)
  }

  get serial(): number {
    return this.#place?.serial ?? 0
  }

  get epoch(): string | null {
    return this.#place?.epoch ?? null
  }

  /** Attached on a live socket, with nothing of a snapshot missing. */
  get attached(): boolean {
    return this.#attached && this.#pending === 'nothing'
  }

  /** The node that it is connected to, or tries to be. */
  get node(): string {
    return this.#options.urls[(this.#turn - 1) % this.#options.urls.length] ?? ''
  }

  get resets(): readonly Down[] {
    return this.frames.filter(({ type }) => type === 'reset')
  }

  get errors(): readonly Down[] {
    return this.frames.filter(({ type }) => type === 'error')
  }

  /** Loses its socket, as when a train enters a tunnel. */
  drop(): void {
    this.#socket?.terminate()
  }

  /** Stops taking anything from its socket; the system's buffers fill, and then the server's. */
  freeze(): void {
    this.#patience.stopWatching()
    this.#socket?.pause()
  }

  thaw(): void {
    this.#socket?.resume()
  }

  /** Goes away without coming back until `comeBack`. */
  async leave(): Promise<void> {
    this.#ended = true
    await this.#end()
  }

  comeBack(): void {
    this.#ended = false
    this.#socket = this.#connect()
  }

  send(frame: Readonly<Record<string, unknown>>): void {
    this.#socket?.send(JSON.stringify({ ref: this.#ref(), ...frame }))
  }

  async untilSerial(serial: number, withinMs?: number): Promise<void> {
    await until(`${this.name} is at ${serial}`, () => this.serial >= serial && this.attached, {
      ...(withinMs !== undefined && { withinMs }),
      instead: () => this.#state(),
    })
  }

  async untilFrame(what: string, matches: (frame: Down) => boolean, withinMs?: number) {
    await until(`${this.name} gets ${what}`, () => this.frames.some(matches), {
      ...(withinMs !== undefined && { withinMs }),
      instead: () => this.#state(),
    })
  }

  /** Ends it for good. Idempotent. */
  async close(): Promise<void> {
    this.#ended = true
    await this.#end()
  }

  #state(): unknown {
    const frames = this.frames.slice(-5).map((frame) => JSON.stringify(frame).slice(0, 300))
    const { position, attached, connects, stopped, node } = this
    return { position, attached, pending: this.#pending, connects, stopped, node, frames }
  }

  async #end(): Promise<void> {
    this.#patience.end()
    const open = [this.#socket, this.#next].filter((socket) => socket !== null)
    this.#socket = null
    this.#next = null
    await Promise.all(
      open.map(async (socket) => {
        if (socket.readyState === WebSocket.CLOSED) return
        await new Promise<void>((gone) => {
          socket.once('close', () => gone())
          socket.terminate()
        })
      }),
    )
  }

  #connect(): WebSocket {
    const { urls, credential } = this.#options
    const url = urls[this.#turn++ % urls.length] ?? ''
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/connect`, 'heldline.v1', {
      headers: { authorization: `Bearer ${credential}` },
      handshakeTimeout: 5000,
      perMessageDeflate: false,
    })
    socket.on('open', () => {
      this.connects++
      this.#attach(socket, url)
    })
    socket.on('message', (data) => {
      // With the default binaryType a message is one Buffer.
      this.#take(socket, JSON.parse((data as Buffer).toString()) as Down, url)
    })
    socket.on('error', () => undefined)
    socket.on('close', (code) => this.#closed(socket, code))
    return socket
  }

  #attach(socket: WebSocket, node: string): void {
    const { session, catchup, presence } = this.#options
    const { position } = this
    this.#pending = position === null ? 'snapshot' : 'attach'
    this.#record({ kind: 'attach', node, position })
    const optional = {
      ...(position !== null && { position }),
      ...(catchup !== undefined && { catchup }),
      ...(presence !== undefined && { presence }),
    }
    socket.send(JSON.stringify({ op: 'attach', ref: this.#ref(), session, ...optional }))
  }

  #take(socket: WebSocket, frame: Down, node: string): void {
    if (socket !== this.#socket && socket !== this.#next) return
    this.#patience.watchSilence(this.#options.silentMs ?? 35_000, () => socket.terminate())
    if (frame.type !== 'events' && frame.type !== 'heartbeat') this.frames.push(frame)
    switch (frame.type) {
      case 'attached':
        return this.#tookOver(socket, frame)
      case 'events':
        return this.#takeEvents(socket, frame, node)
      case 'snapshot':
        return this.#takeSnapshot(frame)
      case 'reset':
        return this.#takeReset(frame)
      case 'heartbeat':
        return this.#compare(socket, frame, node)
      case 'goaway':
        return this.#moveOn(frame)
      case 'error':
        return this.#takeError(socket, frame, node)
    }
  }

  #tookOver(socket: WebSocket, frame: Down): void {
    if (socket === this.#next) {
      const old = this.#socket
      this.#socket = socket
      this.#next = null
      old?.terminate()
    }
    this.#failures = 0
    this.#attached = true
    if (frame['mode'] === 'resumed' && this.#pending === 'attach') this.#pending = 'nothing'
    else this.#pending = 'snapshot'
  }

  /** The rule of the line. [P-4.3] */
  #takeEvents(socket: WebSocket, frame: Down, node: string): void {
    for (const event of frame['events'] as WireEventLike[]) {
      if (this.#pending === 'snapshot' || this.#place === null) return
      const { epoch, serial, tag } = this.#place
      if (event.serial <= serial) continue
      if (event.serial !== serial + 1 || event.prev !== tag) {
        if (this.#pending === 'nothing') this.#attach(socket, node)
        return
      }
      this.#place = { epoch, serial: event.serial, tag: event.tag }
      this.#record({ kind: 'event', ...seen(epoch, event) })
    }
  }

  /** Its position is reached with the last piece. [P-4.5] */
  #takeSnapshot(frame: Down): void {
    if (frame['last'] !== true) return
    const position = String(frame['position'])
    const since = typeof frame['since'] === 'number' ? frame['since'] : null
    this.#place = parse(position)
    this.#pending = 'nothing'
    this.#record({ kind: 'snapshot', position, since })
  }

  #takeReset(frame: Down): void {
    this.#pending = 'snapshot'
    this.#record({
      kind: 'reset',
      reason: String(frame['reason']),
      floor: Number(frame['floor']),
      head: String(frame['head']),
      position: String(frame['position']),
    })
  }

  /** A head that differs means that something is missing; it may still be on its way for a moment. [P-4.10] */
  #compare(socket: WebSocket, frame: Down, node: string): void {
    this.heartbeats++
    const head = (frame['heads'] as Record<string, string>)[this.#options.session]
    const stood = this.position
    if (head === undefined || head === stood || this.#pending !== 'nothing') return
    this.#patience.watchBehind(this.#options.behindMs ?? 2000, () => {
      if (this.position === stood && socket === this.#socket) this.#attach(socket, node)
    })
  }

  /** Connect again, resume, then drop the old one. [P-4.12] */
  #moveOn(frame: Down): void {
    const afterMs = Number(frame['afterMs'])
    this.#record({ kind: 'goaway', afterMs })
    this.#patience.later(afterMs, () => {
      if (this.#next === null && this.#socket !== null) this.#next = this.#connect()
    })
  }

  /** The attachment is over; where it may be again, it is tried again. [P-4.13] */
  #takeError(socket: WebSocket, frame: Down, node: string): void {
    this.#record({ kind: 'error', code: String(frame['code']) })
    if (frame['retryable'] !== true) return
    this.#patience.later(100, () => {
      if (socket === this.#socket && socket.readyState === WebSocket.OPEN)
        this.#attach(socket, node)
    })
  }

  #closed(socket: WebSocket, code: number): void {
    if (this.#ended) return
    if (socket === this.#next) {
      this.#next = null
      if (this.#socket !== null) this.#again(() => (this.#next ??= this.#connect()))
      return
    }
    if (socket !== this.#socket) return
    this.#record({ kind: 'close', code })
    this.#attached = false
    this.#patience.stopWatching()
    if (stops(code)) {
      this.stopped = code
      return
    }
    this.#socket = null
    if (this.#next !== null) {
      this.#socket = this.#next
      this.#next = null
      return
    }
    this.#again(() => (this.#socket ??= this.#connect()))
  }

  #again(connect: () => void): void {
    const waitMs = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] ?? 0
    this.#patience.later(waitMs * (0.5 + Math.random()), () => {
      if (!this.#ended) connect()
    })
  }

  #ref(): string {
    return `${++this.#refs}`
  }

  #record(fact: Parameters<History['record']>[2]): void {
    this.#options.history.record(this.name, this.#options.session, fact)
  }
}
