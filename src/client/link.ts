import { closeReaction } from '../protocol/close-codes.ts'
import { Attempts } from './attempts.ts'
import { ClientError } from './client-error.ts'
import { Dialer, type DialerPorts } from './dialer.ts'
import type { LinkState } from './link-state.ts'
import type { Page } from './page.ts'
import type { Received, ReceivedOf } from './received.ts'
import { Timers } from './timers.ts'
import { Wake } from './wake.ts'
import type { Wire, WireEnd } from './wire.ts'

export interface LinkPorts extends DialerPorts {
  readonly random: () => number
  readonly page: Page
}

/** Whom the link serves: it decides whether a connection is wanted, and what goes over it. */
export interface LinkOwner {
  wanted(): boolean
  /** A new wire carries from now on: attach everything to it. The one before may go on telling for a moment. */
  wired(wire: Wire, welcome: ReceivedOf<'welcome'>): void
  /** There is no wire now. */
  unwired(): void
  frame(wire: Wire, frame: Received): void
  state(state: LinkState): void
  failed(error: ClientError): void
}

const STABLE_MS = 10_000
const LINGER_MS = 5000
const RETIRE_MS = 5000
const SPREAD_MS = 250

/** Keeps one wire up for as long as one is wanted, through every kind of loss. */
export class Link {
  readonly #ports: LinkPorts
  readonly #owner: LinkOwner
  readonly #dialer: Dialer
  readonly #wake: Wake
  readonly #attempts: Attempts
  readonly #timers: Timers<'retry' | 'stable' | 'goaway' | 'retire' | 'linger'>
  #current: Wire | null = null
  #retiring: Wire | null = null
  #refreshed = false
  #offline = false
  #wasLive = false
  #stopped: 'unauthorized' | 'closed' | null = null

  constructor(ports: LinkPorts, owner: LinkOwner) {
    this.#ports = ports
    this.#owner = owner
    this.#dialer = new Dialer(ports, {
      welcome: (wire, welcome) => this.#welcome(wire, welcome),
      live: (wire) => this.#live(wire),
      frame: (wire, frame) => this.#frame(wire, frame),
      ended: (wire, end) => this.#ended(wire, end),
      gaveUp: () => this.#retry(),
      failed: (error) => owner.failed(error),
    })
    this.#timers = new Timers(ports.clock)
    this.#attempts = new Attempts(ports.clock, ports.random)
    this.#wake = new Wake(ports.clock, ports.page, {
      wake: (stale, newNetwork) => this.#woken(stale, newNetwork),
      offline: () => this.#goneOffline(),
    })
  }

  /** What is wanted has changed. The last one gone, the wire is kept for 5 s: whoever leaves often comes back. */
  update(): void {
    this.#timers.cancel('linger')
    if (this.#stopped !== null) return
    if (!this.#owner.wanted()) this.#timers.start('linger', LINGER_MS, () => this.#rest())
    else if (this.#idle) this.#open()
  }

  /** Tries again after `unauthorized` or `closed` by the server, or sooner than planned. */
  connect(): void {
    this.#stopped = null
    this.#refreshed = false
    this.#ports.credentials.forget()
    this.#dialer.restart()
    if (this.#current === null && this.#owner.wanted()) this.#reopen()
  }

  /** Every session is attached to the current wire: the one before it is not needed any more. */
  settled(): void {
    this.#timers.cancel('retire')
    this.#retiring?.close()
    this.#retiring = null
  }

  /** Ends everything, for good. Idempotent. */
  close(): void {
    this.#wake.close()
    this.#stop('closed')
  }

  get #idle(): boolean {
    return this.#current === null && !this.#dialer.busy && !this.#timers.has('retry')
  }

  #open(): void {
    if (this.#stopped !== null || this.#dialer.busy) return
    this.#timers.cancel('retry')
    void this.#dialer.dial()
    this.#tell()
  }

  #welcome(wire: Wire, welcome: ReceivedOf<'welcome'>): void {
    if (this.#current !== null) this.#retire(this.#current)
    this.#current = wire
    this.#timers.cancel('goaway')
    this.#owner.wired(wire, welcome)
  }

  /** The old wire goes on telling until the new one has everything, or for 5 s. [P-4.12] */
  #retire(wire: Wire): void {
    this.#retiring?.close()
    this.#retiring = wire
    this.#timers.start('retire', RETIRE_MS, () => this.settled())
  }

  #live(wire: Wire): void {
    if (wire !== this.#current) return
    this.#wasLive = true
    this.#offline = false
    this.#timers.start('stable', STABLE_MS, () => {
      this.#attempts.reset()
      this.#refreshed = false
    })
    this.#tell()
  }

  #frame(wire: Wire, frame: Received): void {
    if (wire === this.#current && frame.type === 'goaway') this.#goaway(frame.afterMs)
    else if (wire === this.#current && frame.type === 'expiring') void this.#dialer.renew(wire)
    else this.#owner.frame(wire, frame)
  }

  #goaway(afterMs: number): void {
    this.#attempts.holdOff(afterMs)
    const spreadMs = this.#ports.random() * SPREAD_MS
    this.#timers.start('goaway', afterMs + spreadMs, () => this.#open())
  }

  #ended(wire: Wire, end: WireEnd): void {
    if (wire === this.#retiring) return void (this.#retiring = null)
    if (wire === this.#current) this.#lose()
    this.#attempts.holdOff(end.retryAfterMs)
    this.#attempts.closed(end.code)
    this.#react(end.code)
  }

  #react(code: number): void {
    const reaction = closeReaction(code)
    if (reaction === 'stop') {
      this.#owner.failed(
        new ClientError('internal', `the server ended the connection with ${code}`),
      )
      this.#stop('closed')
    } else if (reaction === 'refresh-token') {
      if (!this.#ports.credentials.renewable || this.#refreshed) return this.#stop('unauthorized')
      this.#refreshed = true
      this.#ports.credentials.forget()
      this.#reopen()
    } else {
      this.#retry()
    }
  }

  /** Later: when the backoff, the server's wish and the eyes of somebody allow it. */
  #retry(): void {
    const wait = this.#attempts.nextMs()
    if (this.#owner.wanted()) {
      this.#timers.start('retry', wait, () => {
        // Nobody has looked for minutes: whoever comes back wakes it.
        if (!this.#wake.absent) this.#open()
      })
    }
    this.#tell()
  }

  /** Now, whatever was planned; but never sooner than the server asked for. */
  #reopen(): void {
    if (!this.#attempts.allowed) return this.#retry()
    this.#attempts.atOnce()
    this.#open()
    this.#tell()
  }

  #reconnect(): void {
    this.#dialer.hangUp()
    if (this.#current !== null) this.#lose()
    this.#reopen()
  }

  #lose(): void {
    const lost = this.#current
    this.#current = null
    lost?.close()
    this.#timers.cancel('stable')
    this.#timers.cancel('goaway')
    this.#owner.unwired()
  }

  #woken(stale: boolean, newNetwork: boolean): void {
    if (newNetwork) {
      this.#offline = false
      this.#dialer.restart()
    }
    if (this.#stopped !== null || !this.#owner.wanted()) return this.#tell()
    if (this.#current !== null && !stale) return this.#probe(this.#current)
    this.#attempts.reset()
    if (!this.#dialer.busy || stale || newNetwork) this.#reconnect()
  }

  /** The flag of the browser is a rumour; a wire that answers is a fact, and is kept. */
  #goneOffline(): void {
    if (this.#stopped !== null || !this.#owner.wanted()) return
    this.#offline = true
    this.#tell()
    if (this.#current !== null) this.#probe(this.#current)
  }

  /** Asks for a sign of life, and reconnects where none comes. */
  #probe(wire: Wire): void {
    wire.probe({
      dead: () => {
        if (wire === this.#current) this.#reconnect()
      },
      alive: () => {
        if (wire !== this.#current) return
        this.#offline = false
        this.#tell()
      },
    })
  }

  /** Nobody wants it any more. */
  #rest(): void {
    this.#drop()
    this.#wasLive = false
    this.#attempts.reset()
    this.#tell()
  }

  #stop(state: 'unauthorized' | 'closed'): void {
    this.#stopped = state
    this.#drop()
    this.#tell()
  }

  #drop(): void {
    this.#dialer.forget()
    this.#timers.clear()
    this.#retiring?.close()
    this.#retiring = null
    if (this.#current !== null) this.#lose()
  }

  #tell(): void {
    this.#owner.state(this.#state())
  }

  #state(): LinkState {
    if (this.#stopped !== null) return this.#stopped
    if (this.#offline) return 'offline'
    if (this.#current?.live === true) return 'live'
    if (!this.#owner.wanted() && this.#idle) return 'idle'
    return this.#wasLive ? 'recovering' : 'connecting'
  }
}
