import { ClientError } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Credentials, Secrets } from './credentials.ts'
import { Ladder } from './transport/ladder.ts'
import type { OpenTransport, TransportKind } from './transport/transport.ts'
import { Wire, type WireEnd, type WireEvents } from './wire.ts'

export interface DialerPorts {
  readonly clock: Clock
  readonly credentials: Credentials
  readonly open: OpenTransport
  readonly transport: TransportKind | 'auto'
}

export interface DialerEvents extends WireEvents {
  /** The credentials could not be had, and so nothing is being opened. */
  gaveUp(): void
  failed(error: ClientError): void
}

const ANSWER_MS = 10_000
const NO_CLOSE = 1006

/** Opens wires, one at a time: by the transport whose turn it is, with credentials of the moment. A wire is the owner's once it is welcome. */
export class Dialer {
  readonly #ports: DialerPorts
  readonly #events: DialerEvents
  readonly #ladder: Ladder
  #opening: Wire | null = null
  /** Counts dials, so that credentials which arrive late open nothing. */
  #round = 0
  #gettingSecrets = false

  constructor(ports: DialerPorts, events: DialerEvents) {
    this.#ports = ports
    this.#events = events
    this.#ladder = new Ladder(ports.transport)
  }

  get busy(): boolean {
    return this.#opening !== null || this.#gettingSecrets
  }

  /** Does nothing while it is at it already. */
  async dial(): Promise<void> {
    if (this.busy) return
    const { clock, open } = this.#ports
    const kind = this.#ladder.next(clock.now())
    const round = ++this.#round
    this.#gettingSecrets = true
    const secrets = await this.#secrets(kind)
    if (round !== this.#round) return
    this.#gettingSecrets = false
    if (secrets === null) return this.#events.gaveUp()
    this.#opening = new Wire(clock, open, kind, secrets, {
      ...this.#events,
      welcome: (wire, frame) => {
        if (wire !== this.#opening) return
        this.#opening = null
        this.#events.welcome(wire, frame)
      },
      live: (wire) => {
        this.#ladder.succeeded()
        this.#events.live(wire)
      },
      ended: (wire, end) => this.#ended(wire, end),
    })
  }

  /** Lets go of what is being opened; credentials that are on their way are still waited for. */
  hangUp(): void {
    this.#opening?.close()
    this.#opening = null
  }

  /** The same, and the credentials are of no use any more. */
  forget(): void {
    this.#round += 1
    this.#gettingSecrets = false
    this.hangUp()
  }

  /** Another network, or another wish: the best transport is tried first again. */
  restart(): void {
    this.#ladder.restart()
  }

  /** A new token over an open wire: nothing is interrupted. [P-6.4] */
  async renew(wire: Wire): Promise<void> {
    const { credentials } = this.#ports
    if (!credentials.renewable) return
    credentials.forget()
    // As for a request: a ticket opens a socket, and renews none.
    const secrets = await this.#secrets('sse')
    if (secrets === null || secrets.token === null) return
    wire.ask({ op: 'auth', token: secrets.token }, ANSWER_MS, (answer) => {
      if (answer instanceof ClientError && answer.code !== 'disconnected')
        this.#events.failed(answer)
    })
  }

  async #secrets(kind: TransportKind): Promise<Secrets | null> {
    try {
      return await this.#ports.credentials.forTransport(kind === 'websocket')
    } catch (cause) {
      const message = 'unable to connect; the token callback failed'
      this.#events.failed(new ClientError('unauthenticated', message, { retryable: true, cause }))
      return null
    }
  }

  #ended(wire: Wire, end: WireEnd): void {
    if (wire === this.#opening) this.#opening = null
    // A stream that carried may still be held back: a few kB at a time push themselves through, and the end hangs.
    const unfit = !wire.live || (end.silent && wire.kind === 'sse')
    if (unfit && end.code === NO_CLOSE) {
      this.#ladder.failed(end.silent ? 'silent' : 'unopened', this.#ports.clock.now())
    }
    this.#events.ended(wire, end)
  }
}
