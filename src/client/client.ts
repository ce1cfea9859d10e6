import type { Received, ReceivedOf } from './received.ts'
import type { ClientError } from './client-error.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Credentials } from './credentials.ts'
import { Emitter } from './emitter.ts'
import type { Requests } from './http-later.ts'
import { Link } from './link.ts'
import { ShownState, type LinkState } from './link-state.ts'
import type { Page, PageEvent } from './page.ts'
import { SessionEngine } from './session-engine.ts'
import type { Connected, SessionHost } from './session-host.ts'
import type { SessionOptions } from './session-types.ts'
import { Session } from './session.ts'
import type { Storages } from './storage.ts'
import { tabName } from './tab-name.ts'
import type { OpenTransport, TransportKind } from './transport/transport.ts'
import { refusal, type Wire } from './wire.ts'

export interface ClientPorts {
  readonly clock: Clock
  readonly random: () => number
  readonly page: Page
  readonly storages: Storages
  readonly namespace: string
  readonly credentials: Credentials
  readonly http: Requests
  readonly open: OpenTransport
  readonly transport: TransportKind | 'auto'
}

export interface ClientEvents {
  /** What people should be shown: a recovery that takes less than 2 s is not told. */
  readonly state: LinkState
  /** What went wrong with nobody waiting for it. What mends itself mends itself anyway. */
  readonly error: ClientError
}

interface Place {
  readonly engine: SessionEngine
  readonly session: Session
}

/** Sessions that were left are kept, so that coming back is a resume; the longest left goes first. */
const MAX_LEFT = 20

/** One connection, and any number of sessions over it. Connects with the first session that is used. */
export class Client {
  readonly #ports: ClientPorts
  readonly #emitter = new Emitter<ClientEvents>()
  readonly #sessions = new Map<string, Place>()
  readonly #shown: ShownState
  readonly #link: Link
  readonly #host: SessionHost
  readonly #leavePage: () => void
  #connected: Connected | null = null
  #closed = false

  /** Made by `createClient`. */
  constructor(ports: ClientPorts) {
    this.#ports = ports
    this.#shown = new ShownState(ports.clock, (state) => this.#emitter.emit('state', state))
    this.#link = new Link(ports, {
      wanted: () => this.#wanted(),
      wired: (wire, welcome) => this.#wired({ wire, welcome }),
      unwired: () => this.#unwired(),
      frame: (wire, frame) => this.#frame(wire, frame),
      state: (state) => this.#shown.set(state),
      failed: (error) => this.#emitter.emit('error', error),
    })
    this.#leavePage = ports.page.on((event) => this.#onPage(event))
    this.#host = {
      ...ports,
      tab: tabName(ports),
      update: () => this.#update(),
      connection: () => this.#connected,
    }
  }

  get state(): LinkState {
    return this.#shown.shown
  }

  /**
   * The session of an id: the same object for the same id, whose options are those of the first call. Does nothing until it is used.
   * @throws TypeError for a `presence` that is no JSON; ClientError `client_closed` from its methods, once the client is closed
   */
  session(id: string, options: SessionOptions = {}): Session {
    const known = this.#sessions.get(id)
    if (known !== undefined) return known.session
    const engine = new SessionEngine(id, options, this.#host)
    const session = new Session(engine, () => this.#ports.clock.now())
    this.#sessions.set(id, { engine, session })
    if (this.#closed) engine.close()
    return session
  }

  /** @returns what ends it */
  on<K extends keyof ClientEvents>(
    name: K,
    listener: (value: ClientEvents[K]) => void,
  ): () => void {
    return this.#emitter.on(name, listener)
  }

  /** Tries again: after `unauthorized` (with a new token), after the server has closed it, or sooner than planned. */
  connect(): void {
    if (!this.#closed) this.#link.connect()
  }

  /** Ends everything: no timer, listener or socket is left. What was not sent yet is kept, where it can be. Idempotent. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#leavePage()
    for (const { engine } of this.#sessions.values()) engine.close()
    this.#link.close()
    this.#ports.http.close()
    this.#emitter.clear()
    this.#host.tab.shown(false)
  }

  #wanted(): boolean {
    for (const { engine } of this.#sessions.values()) if (engine.wanted) return !this.#closed
    return false
  }

  #update(): void {
    if (this.#closed) return
    const left: string[] = []
    let waiting = false
    for (const [id, { engine }] of this.#sessions) {
      if (engine.state === 'detached') left.push(id)
      if (engine.wanted && !engine.reader.attached) waiting = true
    }
    for (const id of left.slice(0, -MAX_LEFT)) {
      this.#sessions.get(id)?.engine.close()
      this.#sessions.delete(id)
    }
    if (!waiting) this.#link.settled()
    this.#link.update()
  }

  #wired(connected: Connected): void {
    this.#connected = connected
    for (const { engine } of this.#sessions.values()) if (engine.wanted) engine.wired(connected)
  }

  #unwired(): void {
    this.#connected = null
    for (const { engine } of this.#sessions.values()) engine.unwired()
  }

  #frame(wire: Wire, frame: Received): void {
    const current = wire === this.#connected?.wire
    if (frame.type === 'heartbeat') {
      if (current) this.#heartbeat(frame)
    } else if ('session' in frame && frame.session !== undefined) {
      this.#sessions.get(frame.session)?.engine.frame(frame, current)
    } else if (frame.type === 'error') {
      this.#emitter.emit('error', refusal(frame))
    }
  }

  #heartbeat({ heads }: ReceivedOf<'heartbeat'>): void {
    for (const [id, head] of Object.entries(heads)) {
      this.#sessions.get(id)?.engine.reader.takeHead(head)
    }
  }

  #onPage(event: PageEvent): void {
    if (event !== 'visible' && event !== 'hidden' && event !== 'leaving') return
    this.#host.tab.shown(event === 'visible')
    for (const { engine } of this.#sessions.values()) engine.pageChanged(event === 'leaving')
  }
}
