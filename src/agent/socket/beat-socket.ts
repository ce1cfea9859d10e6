import { CLOSE, closeReaction } from '../../protocol/close-codes.ts'
import { PROTOCOL } from '../../protocol/version.ts'
import { AgentError, disconnected } from '../agent-error.ts'
import type { Timer } from '../../sdk/clock.ts'
import { numberOr } from '../fields.ts'
import { backoffMs } from '../insist.ts'
import type { BeatRequest, Beats, SocketPorts, WebSocketLike } from './socket-later.ts'

type Json = Readonly<Record<string, unknown>>

/** From the first attempt to the first frame. */
const OPEN_MS = 10_000
/** A socket that does not answer for so long is gone, whatever it says. */
const ANSWER_MS = 3000
/** Where sockets are not let through. */
const CAP_MS = 60_000
/** So many are told at once that the socket is open, and then as many more: each beats, and a socket may send 50 frames a second. */
const TOLD_AT_ONCE = 20
const TOLD_EVERY_MS = 500
/** Where the server does not say how many frames a second it takes. */
const FRAMES = 50
/** Of these: a frame too many is refused, and each has an answer to wait for. */
const BEATS = 0.8

/**
 * The one socket of an agent's process. The agent of a run that beats over it is known to be dead when it is lost: long before a lease is over. [P-10.12] It is
 * open while somebody holds it, and opened again where it is lost; meanwhile there is HTTP.
 */
export class BeatSocket implements Beats {
  readonly #ports: SocketPorts
  readonly #holders = new Set<(open: boolean) => void>()
  readonly #asked = new Map<unknown, (frame: Json, error?: AgentError) => void>()
  /** That of now: what those of before tell is passed over. */
  #socket: WebSocketLike | null = null
  #open = false
  #refused = false
  #failed = 0
  #count = 0
  /** So many beats may be sent now, and so many more with each second. */
  #room = 0
  #roomAt = 0
  #perSecond = 0
  #timer: Timer | null = null
  #telling: Timer | null = null

  constructor(ports: SocketPorts) {
    this.#ports = ports
  }

  hold(changed: (open: boolean) => void): () => void {
    this.#holders.add(changed)
    if (this.#holders.size === 1) this.#connect()
    return () => {
      if (this.#holders.delete(changed) && this.#holders.size === 0) this.#drop()
    }
  }

  beat(beat: BeatRequest): Promise<Json> | null {
    const socket = this.#socket
    if (!this.#open || socket === null || !this.#hasRoom()) return null
    const ref = `${++this.#count}`
    return new Promise((resolve, reject) => {
      const timer = this.#ports.clock.after(ANSWER_MS, () => this.#lose())
      this.#asked.set(ref, (frame, error) => {
        this.#asked.delete(ref)
        timer.cancel()
        if (frame['type'] === 'ok') resolve(frame['run'] as Json)
        else reject(error ?? refusal(frame))
      })
      socket.send(JSON.stringify({ op: 'beat', ref, ...beat }))
    })
  }

  /** For half a second's beats at once. */
  #hasRoom(): boolean {
    const now = this.#ports.clock.now()
    const gained = (Math.max(0, now - this.#roomAt) / 1000) * this.#perSecond
    this.#room = Math.min(this.#perSecond / 2, this.#room + gained)
    this.#roomAt = now
    if (this.#room < 1) return false
    this.#room--
    return true
  }

  #connect(): void {
    if (this.#refused) return
    const { WebSocket, url } = this.#ports
    this.#after(OPEN_MS, () => this.#lose())
    let socket: WebSocketLike
    try {
      socket = new WebSocket(url, [PROTOCOL])
    } catch {
      // A policy of the page forbids it: as good as one that does not open.
      return
    }
    this.#socket = socket
    const on = (name: 'open' | 'message' | 'close' | 'error', act: (event: Event) => void): void =>
      socket.addEventListener(name, (event) => {
        if (this.#socket === socket) act(event)
      })
    on('open', () => void this.#authenticate(socket))
    on('message', (event) => this.#hear(frameOf(event as MessageEvent<unknown>)))
    on('close', (event) => this.#lose((event as CloseEvent).code))
    // Tells nothing, and a close follows it; without a listener some implementations throw.
    on('error', () => undefined)
  }

  /** In the first frame, since a handshake that is refused does not say why. [P-6.3] */
  async #authenticate(socket: WebSocketLike): Promise<void> {
    // Where there is none, the server closes the socket in time.
    const token = await this.#ports.credentials.get().catch(() => null)
    // Closed meanwhile: nobody is shown a token any more.
    if (token === null || this.#socket !== socket) return
    socket.send(JSON.stringify({ op: 'auth', ref: 'auth', token }))
  }

  #hear(frame: Json): void {
    const { type, code } = frame
    if (type === 'welcome') this.#opened(frame['limits'])
    else if (type === 'goaway') this.#after(Number(frame['afterMs']), () => this.#again(0))
    // The token is over: as if the server had closed the socket already, which it does after a grace. [P-6.4]
    else if (code === 'invalid_token') this.#lose(CLOSE.unauthenticated)
    else this.#asked.get(frame['ref'])?.(frame)
  }

  #opened(limits: unknown): void {
    this.#open = true
    this.#failed = 0
    this.#perSecond = BEATS * numberOr((limits as Json | undefined)?.['framesPerSecond'], FRAMES)
    this.#room = this.#perSecond / 2
    this.#roomAt = this.#ports.clock.now()
    this.#timer?.cancel()
    this.#tell()
  }

  #lose(code = 0): void {
    const reaction = closeReaction(code)
    if (reaction === 'refresh-token') this.#ports.credentials.forget()
    this.#refused = reaction === 'stop'
    this.#again(backoffMs(this.#failed++, this.#ports.random, CAP_MS))
  }

  #again(afterMs: number): void {
    this.#drop()
    this.#after(afterMs, () => this.#connect())
    this.#tell()
  }

  /** In order: the agent is not gone. */
  #drop(): void {
    const socket = this.#socket
    this.#socket = null
    this.#open = false
    this.#timer?.cancel()
    this.#telling?.cancel()
    socket?.close(1000)
    for (const answer of this.#asked.values()) answer({}, disconnected())
  }

  /** Of a loss all at once: they have little time. */
  #tell(): void {
    this.#telling?.cancel()
    const open = this.#open
    const left = [...this.#holders]
    const some = (): void => {
      for (const changed of left.splice(0, open ? TOLD_AT_ONCE : left.length)) {
        if (this.#holders.has(changed)) changed(open)
      }
      if (left.length > 0) this.#telling = this.#ports.clock.after(TOLD_EVERY_MS, some)
    }
    some()
  }

  #after(ms: number, act: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#ports.clock.after(ms, act)
  }
}

/** What is none says nothing. */
function frameOf({ data }: MessageEvent<unknown>): Json {
  try {
    return Object(JSON.parse(String(data))) as Json
  } catch {
    return {}
  }
}

function refusal({ code, message, retryable, facts }: Json): AgentError {
  return new AgentError(String(code), String(message), {
    retryable: retryable === true,
    facts: facts as Json,
  })
}
